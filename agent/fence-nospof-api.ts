/** The words of ClusterLabs' fence agent API: parameters as lines or flags, and the description in XML. */

export interface Parameters {
  readonly action?: string;
  readonly plug?: string;
  readonly config?: string;
  readonly timeout?: string;
}

interface Known {
  readonly name: keyof Parameters;
  /** Old names, and what others call it. */
  readonly also: readonly string[];
  readonly short: string;
  readonly type: 'string' | 'second';
  readonly initial?: string;
  readonly about: string;
}

const KNOWN: readonly Known[] = [
  {
    name: 'action',
    also: ['option'],
    short: 'o',
    type: 'string',
    initial: 'reboot',
    about:
      'What to do: on, off, reboot, status, monitor, list, list-status, validate-all, metadata',
  },
  {
    name: 'plug',
    also: ['port'],
    short: 'n',
    type: 'string',
    about: 'The node as named under nodes: in nospof.yaml; several with commas',
  },
  {
    name: 'config',
    also: ['nospof_config'],
    short: 'c',
    type: 'string',
    initial: '/etc/nospof/nospof.yaml',
    about: 'Configuration with the switches and the feeds of each node',
  },
  {
    name: 'timeout',
    also: ['power_timeout'],
    short: 't',
    type: 'second',
    initial: '60',
    about: 'Seconds for one node, from the first order to the proof',
  },
];

const ACTIONS = [
  'on',
  'off',
  'reboot',
  'status',
  'list',
  'list-status',
  'monitor',
  'metadata',
  'validate-all',
];

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

/** What Pacemaker shows and checks; the form is FenceAgentAPI's. */
export function metadata(): string {
  const parameters = KNOWN.flatMap(({ name, short, type, initial, about }) => [
    `  <parameter name="${name}" unique="0" required="0">`,
    `    <getopt mixed="-${short}, --${name}=[${name}]"/>`,
    `    <content type="${type}"${initial === undefined ? '' : ` default="${escaped(initial)}"`}/>`,
    `    <shortdesc lang="en">${escaped(about)}</shortdesc>`,
    '  </parameter>',
  ]);
  return [
    '<?xml version="1.0" ?>',
    '<resource-agent name="fence_nospof" shortdesc="Power switches by nospof">',
    '<longdesc>Cuts every feed of a node through the power switches, BMCs and serial devices that nospof knows. Off is success only when all feeds were seen off at one instant and to the end of the discharge time.</longdesc>',
    '<parameters>',
    ...parameters,
    '</parameters>',
    '<actions>',
    ...ACTIONS.map((name) => `  <action name="${name}"${name === 'on' ? ' automatic="0"' : ''}/>`),
    '</actions>',
    '</resource-agent>',
  ].join('\n');
}

function knownAs(word: string): Known | undefined {
  return KNOWN.find(
    ({ name, also, short }) => name === word || also.includes(word) || short === word,
  );
}

/**
 * From `name=value` lines, or from flags where there are any. What it does not know is ignored, as the API
 * asks; a wrong number is a text that says so.
 */
export function parameters(argv: readonly string[], input: string): Parameters | string {
  const found: { -readonly [key in keyof Parameters]: string } = {};
  const put = (word: string, value: string): void => {
    const known = knownAs(word);
    if (known !== undefined && value !== '') found[known.name] = value;
  };
  for (const line of input.split('\n')) {
    const text = line.trim();
    const at = text.indexOf('=');
    if (!text.startsWith('#') && at > 0) put(text.slice(0, at).trim(), text.slice(at + 1).trim());
  }
  for (let at = 0; at < argv.length; at += 1) {
    const flag = argv[at] ?? '';
    const long = /^--([a-z_]+)=(.*)$/u.exec(flag);
    if (long !== null) put(long[1] ?? '', long[2] ?? '');
    else if (/^--?[a-z_]+$/u.test(flag)) {
      put(flag.replace(/^--?/u, ''), argv[at + 1] ?? '');
      at += 1;
    }
  }
  const { timeout } = found;
  if (timeout !== undefined && !/^[1-9][0-9]{0,4}$/u.test(timeout)) {
    return `timeout=${timeout.slice(0, 20)} is no number of seconds (write timeout=60)`;
  }
  return found;
}
