/**
 * What the child knows: the newest picture and when it was told. Its age is counted on this side, from
 * the moment of the telling, so that a stopped or hung agent shows by itself.
 */
import type { Picture, Sample, Vitals } from '../../rules/model.ts';
import { applyFeed } from './delta.ts';
import type { Feed } from './messages.ts';

/** What makes the text of `/metrics`. */
export interface MetricsSource {
  readonly update: (picture: Picture, vitals: Vitals, samples: readonly Sample[]) => void;
  /** The text and its content type, by what the client accepts. */
  readonly content: (accept: string | undefined) => Promise<{ type: string; body: string }>;
}

export interface Known {
  readonly picture: Picture;
  readonly vitals: Vitals;
  readonly ageMs: number;
  /** Too old to be believed. */
  readonly old: boolean;
}

export interface ApiState {
  readonly take: (feed: Feed) => void;
  /** Undefined before the first feed. */
  readonly known: () => Known | undefined;
}

/** `nowMs` is a monotonic clock. */
export function openState(
  metrics: MetricsSource,
  oldAfterMs: number,
  nowMs: () => number,
): ApiState {
  let picture: Picture | undefined;
  let vitals: Vitals | undefined;
  let toldAt = 0;
  return {
    take(feed) {
      picture = applyFeed(picture, feed);
      vitals =
        feed.samplesDropped === 0
          ? feed.vitals
          : { ...feed.vitals, drops: { ...feed.vitals.drops, api_samples: feed.samplesDropped } };
      toldAt = nowMs();
      metrics.update(picture, vitals, feed.samples);
    },
    known() {
      if (picture === undefined || vitals === undefined) return undefined;
      const ageMs = nowMs() - toldAt;
      return { picture, vitals, ageMs, old: ageMs > oldAfterMs };
    },
  };
}
