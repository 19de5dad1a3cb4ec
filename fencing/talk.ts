/**
 * The state of one conversation with a line device, what it can ask of the wire, and how it ends. The
 * turns are `conversation.ts`'s.
 */
import type { Ms } from '../rules/model.ts';
import type { Address } from './outlet.ts';
import type { LineProfile, Profile } from './profile.ts';
import type { OutletReply, OutletState, SwitchReply, SwitchRequest } from './reply.ts';
import type { Script } from './script.ts';

export type LineCommand =
  | { readonly kind: 'open' | 'close' }
  /** `shown` is the text without secrets. */
  | {
      readonly kind: 'send';
      readonly text: string;
      readonly shown: string;
      readonly paceMs: number;
      /** What came before is dropped: it answers something else. */
      readonly fresh: boolean;
    }
  /** Answered by what comes, or by `silence` after so long. */
  | { readonly kind: 'listen'; readonly ms: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'lines'; readonly dtr?: boolean; readonly rts?: boolean }
  | { readonly kind: 'done'; readonly reply: SwitchReply };

export type LineEvent =
  | { readonly kind: 'start' }
  /** The last command was carried out. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'heard'; readonly text: string }
  | { readonly kind: 'silence' }
  /** The connection is gone, or could not be made. */
  | { readonly kind: 'closed'; readonly why: string };

export interface LineTurn {
  readonly talk: Talk;
  readonly command: LineCommand;
}

export type Stage =
  | { readonly kind: 'closed' | 'opening' | 'pause' | 'closing' | 'breaking' }
  | { readonly kind: 'login' | 'logout'; readonly script: Script }
  | {
      readonly kind: 'status';
      readonly script: Script;
      readonly at: number;
      readonly sentAt: Ms;
      readonly found: readonly Look[];
    }
  | { readonly kind: 'order'; readonly script: Script; readonly at: number };

export interface Look {
  readonly state: OutletState;
  readonly why: string;
  readonly blocked: string | undefined;
  readonly from: Ms;
  readonly to: Ms;
}

export interface Talk {
  readonly profile: Profile;
  readonly device: LineProfile;
  readonly request: SwitchRequest;
  readonly words: Readonly<Record<string, string>>;
  readonly over: LineProfile['over'][number];
  readonly deadlineAt: Ms;
  readonly stage: Stage;
  /** Undefined until the name was found among the rows. */
  readonly addresses: readonly (Address | undefined)[];
  readonly looks: readonly Look[];
  readonly orderedAt: Ms | undefined;
  readonly uncertain: boolean;
  /** Without effect until then the order is sent once more. */
  readonly repeatAt: Ms | undefined;
  readonly denied: string | undefined;
  readonly trouble: string;
  readonly reply: SwitchReply | undefined;
}

export interface Login {
  readonly user?: string;
  readonly password?: string;
  /** What carries the conversation. */
  readonly over?: LineProfile['over'][number];
}

export function startTalk(
  profile: Profile,
  device: LineProfile,
  request: SwitchRequest,
  login: Login,
  deadlineAt: Ms,
): Talk {
  const words = { user: login.user ?? '', password: login.password ?? '' };
  return {
    profile,
    device,
    request,
    words,
    over: login.over ?? 'telnet',
    deadlineAt,
    stage: { kind: 'closed' },
    addresses: [],
    looks: [],
    orderedAt: undefined,
    uncertain: false,
    repeatAt: undefined,
    denied: undefined,
    trouble: 'nothing was answered',
    reply: undefined,
  };
}

export function replyOf(talk: Talk, now: Ms): SwitchReply {
  const { request, looks, orderedAt, trouble, denied } = talk;
  const outlets = request.outlets.map(({ id }, at): OutletReply => {
    const look = looks[at];
    const stale = look !== undefined && orderedAt !== undefined && look.from < orderedAt;
    if (look === undefined || stale) {
      const why = stale ? `after the order: ${trouble}` : trouble;
      return { outlet: id, state: 'unknown', why, from: now, to: now };
    }
    const more = denied !== undefined && look.state !== request.want;
    const why = more ? `${look.why}; ${denied}` : look.why;
    return { outlet: id, state: look.state, why, from: look.from, to: look.to };
  });
  return { outlets, ordered: orderedAt !== undefined };
}

export function done(talk: Talk, now: Ms): LineTurn {
  const reply = talk.reply ?? replyOf(talk, now);
  return { talk: { ...talk, stage: { kind: 'closed' } }, command: { kind: 'done', reply } };
}

export function closing(talk: Talk): LineTurn {
  return { talk: { ...talk, stage: { kind: 'closing' } }, command: { kind: 'close' } };
}

/** Ends without a look: what stands in the way holds for every outlet. */
export function refuse(talk: Talk, why: string, now: Ms): LineTurn {
  const reply = replyOf({ ...talk, looks: [], trouble: why }, now);
  if (talk.stage.kind === 'closed') return done({ ...talk, reply }, now);
  return closing({ ...talk, reply });
}
