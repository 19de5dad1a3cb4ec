/**
 * The one place where the API process gets what renders `/metrics`. The rest of it knows only the
 * `MetricsSource` of `state.ts`.
 */
import type { Vitals } from '../../rules/model.ts';
import type { ChildSettings } from './messages.ts';
import type { MetricsSource } from './state.ts';

/** Serves the one thing known without a renderer: that the agent is there, and of what build it is. */
export function openMetrics(_settings: ChildSettings): MetricsSource {
  let vitals: Vitals | undefined;
  return {
    update(_picture, newest) {
      vitals = newest;
    },
    async content() {
      const version = (vitals?.version ?? '').replace(/[^A-Za-z0-9._+-]/gu, '_');
      const body = `# TYPE nospof_build_info gauge\nnospof_build_info{version="${version}"} 1\n`;
      return { type: 'text/plain; version=0.0.4; charset=utf-8', body };
    },
  };
}
