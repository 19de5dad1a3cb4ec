/**
 * Puts `/metrics` together: what the agent says of itself and what it sees, in the form the client
 * asked for. The rest of the API process knows only the `MetricsSource` of `state.ts`.
 */
import { createRenderer } from '../../exporters/prometheus/render.ts';
import type { Format } from '../../exporters/prometheus/text.ts';
import type { Picture, Vitals } from '../../rules/model.ts';
import { askMachine } from './machine.ts';
import type { ChildSettings } from './messages.ts';
import { createOwnMetrics, type OwnMetrics } from './own-metrics.ts';
import type { MetricsSource } from './state.ts';

const TYPES: Readonly<Record<Format, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** OpenMetrics where the client names it and does not refuse it. */
export function formatOf(accept: string | undefined): Format {
  const wanted = (accept ?? '').split(',').map((one) => one.trim());
  const named = wanted.find((one) => one.startsWith('application/openmetrics-text'));
  return named === undefined || /;\s*q=0(\.0*)?\s*($|;)/u.test(named) ? 'text' : 'openmetrics';
}

const MACHINE_DELAY_MS = 3_000;

async function tellMachine(own: OwnMetrics): Promise<void> {
  const facts = await askMachine();
  if (facts !== undefined) own.machine(facts);
}

export function openMetrics({ seriesMax }: Pick<ChildSettings, 'seriesMax'>): MetricsSource {
  const renderer = createRenderer({ seriesMax });
  const own = createOwnMetrics();
  // Not while the agent starts: it forks programs, and nobody waits for it.
  setTimeout(() => void tellMachine(own), MACHINE_DELAY_MS).unref();
  let newest: { readonly picture: Picture; readonly vitals: Vitals } | undefined;
  return {
    // Lines are made when somebody asks: an agent nobody scrapes must cost next to nothing.
    update: (picture, vitals, samples) => {
      newest = { picture, vitals };
      own.observe(samples);
    },
    content: async (accept) => {
      const format = formatOf(accept);
      if (newest !== undefined) {
        const { picture, vitals } = newest;
        renderer.update(picture, vitals.wallOffsetMs);
        own.count({ ...vitals, drops: { ...vitals.drops, series: renderer.dropped() } });
      }
      const body = (await own.render(format)) + renderer.render(format);
      return { type: TYPES[format], body: format === 'openmetrics' ? `${body}# EOF\n` : body };
    },
  };
}
