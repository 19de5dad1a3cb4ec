/** Checked switches and nodes of a file, as the rest of the agent takes them. */
import type { NodeConfig, SwitchConfig } from '../../rules/config.ts';
import type { RawNode, RawSwitch } from './cross-power.ts';
import { DISCHARGE_MS } from './defaults.ts';
import { durationMs } from './words.ts';

export function switchOf([name, raw]: [string, RawSwitch]): SwitchConfig {
  const { snmp, secrets = {}, fallsWith = [], deadline, ...rest } = raw;
  const deadlineMs = deadline === undefined ? undefined : durationMs(deadline);
  const version = String(snmp?.version ?? '') as '1' | '2c' | '3';
  return {
    ...rest,
    name,
    secrets,
    fallsWith,
    ...(snmp === undefined ? {} : { snmp: { ...snmp, version } }),
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  };
}

export function nodeOf([node, raw]: [string, RawNode]): NodeConfig {
  return {
    node,
    feeds: raw.feeds.map((feed) => ({
      ...feed,
      outlet: String(feed.outlet),
      level: feed.level ?? 1,
    })),
    dischargeMs: raw.discharge === undefined ? DISCHARGE_MS : (durationMs(raw.discharge) ?? 0),
    unverifiedAllowed: raw.unverified === 'allowed',
  };
}
