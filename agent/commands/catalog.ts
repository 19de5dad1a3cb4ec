/**
 * The commands and their flags, as data: parsing, help and suggestions all read this. A command's code
 * is the file of its name beside this one.
 */

export interface Flag {
  readonly name: string;
  /** Placeholder of its value; a flag without one is a switch. */
  readonly value?: string;
  readonly about: string;
}

export interface Operand {
  readonly name: string;
  readonly about: string;
  readonly optional?: true;
  /** The last one may be given several times. */
  readonly many?: true;
}

export interface CommandInfo {
  readonly about: string;
  readonly operands: readonly Operand[];
  readonly flags: readonly Flag[];
  readonly example: string;
  /** Further sentences for its help. */
  readonly notes: readonly string[];
}

export const COMMANDS = [
  'run',
  'status',
  'service',
  'why',
  'whatif',
  'rules',
  'replay',
  'capture',
  'check',
  'switch',
  'fence',
  'disk',
  'maintenance',
  'forget',
  'version',
] as const;
export type CommandName = (typeof COMMANDS)[number];

const CONFIG: Flag = {
  name: 'config',
  value: 'FILE',
  about: 'configuration; default /etc/nospof/nospof.yaml if it exists',
};
const RUN: Flag = { name: 'run', value: 'DIR', about: 'folder of the socket of the agent' };
const STATE: Flag = {
  name: 'state',
  value: 'DIR',
  about: 'what must survive a reboot; default /var/lib/nospof',
};
const ROOTS: readonly Flag[] = [
  { name: 'procfs', value: 'DIR', about: 'where procfs is; default /proc' },
  { name: 'sysfs', value: 'DIR', about: 'where sysfs is; default /sys' },
  { name: 'devfs', value: 'DIR', about: 'where device nodes are; default /dev' },
  { name: 'runfs', value: 'DIR', about: 'where other daemons keep their sockets; default /run' },
];
const JSON_FLAG: Flag = { name: 'json', about: 'print JSON, for programs' };

export const CATALOG: Readonly<Record<CommandName, CommandInfo>> = {
  run: {
    about: 'run the agent in the foreground',
    operands: [],
    flags: [
      CONFIG,
      ...ROOTS,
      STATE,
      { name: 'run', value: 'DIR', about: 'socket and such; default /run/nospof' },
      {
        name: 'listen',
        value: 'HOST:PORT',
        about: "page and metrics, or 'off'; default 127.0.0.1:9974",
      },
      { name: 'polling', about: 'no wakes from the kernel: read by periods alone' },
      { name: 'once', about: 'read everything once, print what is seen, and end' },
    ],
    example: 'nospof run --config /etc/nospof/nospof.yaml --listen 0.0.0.0:9974',
    notes: ['Flags win over the file. Users other than root have their own default folders.'],
  },
  status: {
    about: 'show what the agent on this node sees',
    operands: [],
    flags: [{ name: 'watch', about: 'stay, and show changes' }, JSON_FLAG, CONFIG, RUN],
    example: 'nospof status --watch',
    notes: ['Exit status 1: something is exposed, lost or unknown. 2: that cannot be told.'],
  },
  service: {
    about: 'list the services, or start, stop, restart or clear one',
    operands: [
      { name: 'DEED', about: 'list (the default), start, stop, restart or clear', optional: true },
      { name: 'NAME', about: 'the service; not for list', optional: true },
    ],
    flags: [JSON_FLAG, CONFIG, RUN],
    example: 'nospof service clear web',
    notes: [
      'start and stop hold until the configuration says otherwise, over restarts of the agent too.',
      'clear lifts the latch of a service that failed too often; nothing else does.',
      'Exit status of list 1: one is not as it is wanted.',
    ],
  },
  why: {
    about: 'explain an alarm, an action, a service or a component, from the journal',
    operands: [{ name: 'ID', about: 'its name or a part of it', optional: true }],
    flags: [{ name: 'last', about: 'what was raised or done last' }, JSON_FLAG, STATE, CONFIG],
    example: 'nospof why --last',
    notes: ['Without an ID it lists what was decided lately. It needs no running agent.'],
  },
  whatif: {
    about: 'tell what would happen if components failed or were absent',
    operands: [
      { name: 'SUPPOSITION', about: "a name or glob and a state: 'psu/* failed'", many: true },
    ],
    flags: [
      {
        name: 'for',
        value: 'TIME',
        about: 'it holds so long, then all is as now; default: for good',
      },
      {
        name: 'outcome',
        value: 'RESULT',
        about: 'how each action comes out: verified (default), refuted, unknown',
      },
      JSON_FLAG,
      STATE,
      CONFIG,
    ],
    example: "nospof whatif 'psu/* failed' --for 10m",
    notes: [
      'It reads the journal and touches nothing. Services: failed, hanging, stopped, running.',
    ],
  },
  rules: {
    about: 'list the rules in force, check one of your own, or try it here',
    operands: [
      { name: 'DEED', about: 'list (the default), check or test', optional: true },
      { name: 'FILE', about: 'the rule; not for list', optional: true },
    ],
    flags: [JSON_FLAG, CONFIG, RUN],
    example: 'nospof rules test /etc/nospof/rules/fan-slow.yaml',
    notes: [
      'docs/rules.md says how rules are written. Exit status of test 1: it holds of something.',
    ],
  },
  replay: {
    about: 'step through a recorded journal again and compare every decision',
    operands: [{ name: 'PATH', about: 'a segment, or a folder of them (STATE/journal)' }],
    flags: [
      {
        name: 'rules',
        value: 'PATH',
        about: 'judge by another configuration, or folder of rules: what would have been decided',
      },
    ],
    example: 'nospof replay /var/lib/nospof/journal',
    notes: ['Exit status 1: something was decided otherwise, or could not be read.'],
  },
  capture: {
    about: 'write what a collector reads here into files, for a bug report',
    operands: [{ name: 'NAME', about: 'the collector' }],
    flags: [
      { name: 'out', value: 'DIR', about: 'folder to write into; default: this one' },
      CONFIG,
      ...ROOTS,
    ],
    example: 'nospof capture fans --out /tmp/report',
    notes: [],
  },
  check: {
    about: 'check a configuration file and report every problem in it',
    operands: [
      { name: 'FILE', about: 'the file; default /etc/nospof/nospof.yaml', optional: true },
    ],
    flags: [],
    example: 'nospof check nospof.yaml',
    notes: ['All keys are described in schema/nospof.schema.json, which editors understand too.'],
  },
  switch: {
    about: 'look at power switches and order them',
    operands: [
      { name: 'ACTION', about: 'list, status, on, off, detect or fake' },
      {
        name: 'SWITCH',
        about: 'its name in the configuration; for fake: a profile',
        optional: true,
      },
      { name: 'OUTLET', about: "number, label or '@NAME'", optional: true },
    ],
    flags: [
      CONFIG,
      JSON_FLAG,
      { name: 'profiles', about: 'list: the sorts of devices that are known' },
      { name: 'deadline', value: 'TIME', about: 'how long an order may take, such as 30s' },
      { name: 'trace', about: 'print what is asked and answered, without secrets' },
      { name: 'yes', about: 'on, off: do not ask' },
      {
        name: 'community',
        value: 'FILE',
        about: 'detect: community of a device that is not configured',
      },
      { name: 'faults', value: 'LIST', about: 'fake: what is wrong with it, separated by commas' },
      { name: 'listen', value: 'HOST:PORT', about: 'fake: where; default 127.0.0.1 and any port' },
      { name: 'over', value: 'WAY', about: 'fake of a line device: telnet, tcp or serial' },
    ],
    example: 'nospof switch status pdu-a 3',
    notes: [
      'Exit status of status, on and off: 0 it was seen so; 1 not so, or not known.',
      'off and on touch power at once, whatever runs there: they ask first, or need --yes.',
    ],
  },
  maintenance: {
    about: 'hold back what the agent would do, for a reason and a time',
    operands: [{ name: 'CHANGE', about: 'begin, end or list (the default)', optional: true }],
    flags: [
      { name: 'reason', value: 'TEXT', about: 'why, for the others on call' },
      { name: 'for', value: 'TIME', about: 'it ends by itself after that; default 1h, at most 7d' },
      {
        name: 'scope',
        value: 'GLOB',
        about: "services, components or groups held back; default '*', the node",
      },
      JSON_FLAG,
      CONFIG,
      RUN,
    ],
    example: 'nospof maintenance begin --reason upgrade --for 2h',
    notes: ['Everything is still seen and told. Beginning again with the same scope renews.'],
  },
  forget: {
    about: 'tell the agent that an absent component is gone for good',
    operands: [{ name: 'COMPONENT', about: 'its identity, as status shows it' }],
    flags: [CONFIG, RUN],
    example: 'nospof forget fan/nct6775.656/3',
    notes: [],
  },
  fence: {
    about: 'cut the power of a node, and see that it is off',
    operands: [{ name: 'NODE', about: 'the node, as named under nodes' }],
    flags: [
      { name: 'yes', about: 'do not ask' },
      { name: 'on', about: 'switch its power on again once it was proven off' },
      { name: 'deadline', value: 'TIME', about: 'give up after this; default 60s' },
      JSON_FLAG,
      CONFIG,
      RUN,
    ],
    example: 'nospof fence db2 --on',
    notes: [
      'Exit status 0 only when every feed of a level was seen off at one instant and to the end of',
      'the discharge time. 1: not proven, or refused. Then start nothing of that node elsewhere.',
    ],
  },
  disk: {
    about: 'show who has shared disks, test one, give one back',
    operands: [
      { name: 'VERB', about: 'list, show, certify or release' },
      { name: 'DEV', about: 'a disk, by any of its paths or its identity', optional: true },
    ],
    flags: [
      JSON_FLAG,
      { name: 'key', value: 'KEY', about: 'release: the key to give back' },
      { name: 'yes', about: 'certify and release: do it without asking' },
      CONFIG,
      ...ROOTS,
    ],
    example: 'nospof disk show /dev/mapper/mpatha',
    notes: [
      'list      every SCSI disk with its paths, and who holds it',
      'show      all registrations of a disk, and what looks wrong',
      'certify   try the 32 behaviours of reservations on an unused disk with two paths',
      'release   give back a key of this node from a disk that nothing uses here',
    ],
  },
  version: {
    about: 'print the version',
    operands: [],
    flags: [],
    example: 'nospof version',
    notes: [],
  },
};
