/**
 * What an operator may decide, as checked values: this file gives the shapes and the defaults. The
 * YAML syntax, the schema check and the error texts with line and column are `agent/config`'s.
 */
import type { HierarchyId } from './cluster/model.ts';
import type { ComponentId } from './model.ts';
import type { Rule } from './rule.ts';
import type { ServiceSpec } from './service.ts';

/** A group the operator declares, or the need of a discovered one. Globs match ids: `link/eth*`. */
export interface GroupConfig {
  readonly name: string;
  readonly kind: string;
  readonly members: readonly string[];
  readonly needs: number;
}

export interface NeedConfig {
  readonly group: string;
  readonly needs: number;
}

/** Limits on one gauge of the components a glob names; `recovers` is the far end of the hysteresis. */
export interface LimitConfig {
  readonly component: string;
  readonly gauge: string;
  readonly above?: {
    readonly failing?: number;
    readonly failed?: number;
    readonly recovers?: number;
  };
  readonly below?: {
    readonly failing?: number;
    readonly failed?: number;
    readonly recovers?: number;
  };
}

export interface DependencyConfig {
  readonly component: string;
  readonly needs: readonly ComponentId[];
}

export interface FlapConfig {
  readonly component: string;
  readonly changes: number;
  readonly withinMs: number;
}

/** How useful a hierarchy is on this node, in CEL; 0 means never here. */
export interface UtilityConfig {
  readonly hierarchy: HierarchyId;
  readonly text: string;
}

/** What `assess` goes by. Everything here can be changed by a reload without forgetting the world. */
export interface Judgement {
  readonly groups: readonly GroupConfig[];
  readonly needs: readonly NeedConfig[];
  readonly limits: readonly LimitConfig[];
  readonly dependencies: readonly DependencyConfig[];
  readonly flaps: readonly FlapConfig[];
  /** Globs of components that are not looked at: not members, not alarmed, still listed as ignored. */
  readonly ignore: readonly string[];
  readonly rules: readonly Rule[];
  readonly services: readonly ServiceSpec[];
  readonly utilities: readonly UtilityConfig[];
}

/** A target tried by the `gateways` collector besides the default routes. */
export interface ReachTarget {
  readonly name: string;
  readonly address: string;
  readonly method: 'icmp' | 'tcp' | 'arp';
  /** TCP only. */
  readonly port?: number;
  /** Interface it must be reached through. */
  readonly link?: string;
  /** Lower is better; a group on a higher rank is degraded (a slower line). */
  readonly rank: number;
}

/** A power switch as configured; what it is able to do is its profile's. Secrets are files. */
export interface SwitchConfig {
  readonly name: string;
  readonly profile: string;
  readonly address?: string;
  readonly port?: number;
  readonly serial?: string;
  readonly baud?: number;
  readonly over?: 'telnet' | 'tcp';
  readonly snmp?: {
    readonly version: '1' | '2c' | '3';
    readonly readFile?: string;
    readonly writeFile?: string;
    readonly user?: string;
    readonly auth?: 'md5' | 'sha' | 'sha224' | 'sha256' | 'sha384' | 'sha512';
    readonly authFile?: string;
    readonly priv?: 'des' | 'aes' | 'aes256b' | 'aes256r';
    readonly privFile?: string;
    readonly context?: string;
  };
  readonly user?: string;
  readonly passwordFile?: string;
  readonly secrets: Readonly<Record<string, string>>;
  readonly deadlineMs?: number;
  /** Nodes whose failure takes the device away. */
  readonly fallsWith: readonly string[];
}

export interface FeedConfig {
  /** The supply it powers; `all` cuts the whole node. */
  readonly supply: string;
  readonly switch: string;
  readonly outlet: string;
  readonly name?: string;
  readonly level: number;
}

/** Everything that powers one node. */
export interface NodeConfig {
  readonly node: string;
  readonly feeds: readonly FeedConfig[];
  readonly dischargeMs: number;
  /** The map may be used before a drill has proven it. */
  readonly unverifiedAllowed: boolean;
}

export interface Roots {
  readonly proc: string;
  readonly sys: string;
  readonly dev: string;
  readonly run: string;
}

export interface Config {
  readonly node: string;
  /** Page, metrics and API; undefined switches the TCP side off, the unix socket stays. */
  readonly listen: { readonly host: string; readonly port: number } | undefined;
  readonly roots: Roots;
  /** What must survive a reboot (the inventory). */
  readonly stateDir: string;
  /** Socket, progress file; made anew at each boot. */
  readonly runDir: string;
  /** Collector name to its changes; a missing name means enabled at its own period. */
  readonly collectors: Readonly<
    Record<string, { readonly enabled: boolean; readonly everyMs?: number }>
  >;
  readonly reach: readonly ReachTarget[];
  readonly switches: readonly SwitchConfig[];
  readonly nodes: readonly NodeConfig[];
  readonly judgement: Judgement;
  /** Series beyond this are dropped and counted. */
  readonly seriesMax: number;
}

export const NO_JUDGEMENT: Judgement = {
  groups: [],
  needs: [],
  limits: [],
  dependencies: [],
  flaps: [{ component: 'link/*', changes: 5, withinMs: 60_000 }],
  ignore: [],
  rules: [],
  services: [],
  utilities: [],
};
