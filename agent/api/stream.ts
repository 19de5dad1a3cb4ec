/**
 * The event stream of the page: one rendering for all viewers, and only the sections that changed. Nobody
 * watching costs nothing. A viewer that does not read is dropped when its buffer is full; it will come
 * back and get everything. A beat goes out when there is no news, so that silence means trouble.
 */
import type { ServerResponse } from 'node:http';
import { pageSections, pageTitle, type SectionName } from '../../exporters/status/page.ts';
import { BEAT_MS, type ViewEvent } from '../../exporters/status/page-script.ts';
import { type View, viewOf } from '../../exporters/status/view.ts';
import type { ApiState } from './state.ts';

/** Viewers at once; a quarter of all connections, so that metrics and health always get theirs. */
export const VIEWERS_MAX = 16;
/** Bytes waiting for one viewer before it is dropped; about two full pages of a big machine. */
const BUFFER_BYTES_MAX = 2 * 1024 * 1024;
const TICK_MS = 1_000;
/** Shortest time between two renderings on urgent news. */
const URGENT_EVERY_MS = 250;
/** The table of all components is the bulk of the page, and its gauges always change. */
const COMPONENTS_EVERY_MS = 5_000;
const RECONNECT_MS = 2_000;

export interface Stream {
  readonly full: () => boolean;
  /** Takes over a response whose head is written. */
  readonly add: (response: ServerResponse) => void;
  readonly told: (urgent: boolean) => void;
  readonly close: () => void;
}

function eventText(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

function viewEvent(view: View, sections: ViewEvent['sections']): string {
  return eventText('view', { title: pageTitle(view), time: view.time, sections });
}

/** `nowMs` is a monotonic clock. */
export function openStream(state: ApiState, nowMs: () => number): Stream {
  const viewers = new Set<ServerResponse>();
  const shown = new Map<SectionName, string>();
  let news = false;
  let urgentTimer: NodeJS.Timeout | undefined;
  let renderedAt = Number.NEGATIVE_INFINITY;
  let componentsAt = Number.NEGATIVE_INFINITY;
  let spokeAt = Number.NEGATIVE_INFINITY;

  const say = (viewer: ServerResponse, text: string): void => {
    if (viewer.writableLength > BUFFER_BYTES_MAX) viewer.destroy();
    else viewer.write(text);
  };
  const sayAll = (text: string): void => {
    for (const viewer of viewers) say(viewer, text);
    spokeAt = nowMs();
  };

  const render = (urgent: boolean): View | undefined => {
    const known = state.known();
    if (known === undefined) return undefined;
    const now = nowMs();
    renderedAt = now;
    news = false;
    const view = viewOf(known.picture, known.vitals, known.old ? known.ageMs : undefined);
    const withComponents = urgent || now - componentsAt >= COMPONENTS_EVERY_MS;
    if (withComponents) componentsAt = now;
    const changed: Partial<Record<SectionName, string>> = {};
    for (const [key, html] of Object.entries(pageSections(view))) {
      const name = key as SectionName;
      if (shown.get(name) === html || (name === 'components' && !withComponents)) continue;
      shown.set(name, html);
      changed[name] = html;
    }
    if (Object.keys(changed).length > 0) sayAll(viewEvent(view, changed));
    return view;
  };

  const tick = setInterval(() => {
    if (viewers.size === 0) return;
    if (news || state.known()?.old === true) render(false);
    if (nowMs() - spokeAt >= BEAT_MS) sayAll(eventText('beat', {}));
  }, TICK_MS);

  return {
    full: () => viewers.size >= VIEWERS_MAX,
    add(response) {
      response.write(`retry: ${RECONNECT_MS}\n\n`);
      const view = render(true);
      if (view !== undefined) say(response, viewEvent(view, Object.fromEntries(shown)));
      viewers.add(response);
      response.on('close', () => viewers.delete(response));
    },
    told(urgent) {
      news = true;
      if (!urgent || viewers.size === 0 || urgentTimer !== undefined) return;
      const waitMs = Math.max(0, renderedAt + URGENT_EVERY_MS - nowMs());
      urgentTimer = setTimeout(() => {
        urgentTimer = undefined;
        render(true);
      }, waitMs);
    },
    close() {
      clearInterval(tick);
      clearTimeout(urgentTimer);
      for (const viewer of viewers) viewer.destroy();
    },
  };
}
