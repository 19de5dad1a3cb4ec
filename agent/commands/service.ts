/** Shows the services of this node, and passes an operator's word about one of them to the agent. */
import { nearest } from '../../rules/near.ts';
import type { Service } from '../../rules/service.ts';
import { type Answer, ask } from '../api/client.ts';
import { SERVICE_DEEDS } from '../api/messages.ts';
import type { ParsedArgs } from './args.ts';
import { complain, print } from './print.ts';
import { findSocket } from './socket.ts';

interface WorldAnswer {
  readonly at: number;
  readonly services: readonly Service[];
}

const DEEDS: readonly string[] = ['list', ...SERVICE_DEEDS];

function driverText({ spec: { driver } }: Service): string {
  switch (driver.kind) {
    case 'systemd':
      return driver.unit;
    case 'ocf':
      return driver.agent;
    case 'process':
      return driver.argv[0] ?? '';
  }
}

function ageText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes}m` : `${Math.round(minutes / 60)}h`;
}

/** Control characters of a service's own words do not reach the terminal. */
function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, ' ');
}

/** The list, in columns. */
export function serviceLines({ at, services }: WorldAnswer): readonly string[] {
  const rows = services.map((service) => [
    service.spec.name,
    service.state,
    ageText(at - service.since),
    service.wanted === service.state ? '' : `wanted ${service.wanted}`,
    `${service.restartsTotal}`,
    driverText(service),
    plain(service.why),
  ]);
  const head = ['NAME', 'STATE', 'FOR', '', 'RESTARTS', 'DRIVER', ''];
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)),
  );
  return [head, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .filter((_, column) => (widths[column] ?? 0) > 0)
      .join('  ')
      .trimEnd(),
  );
}

function asWanted({ wanted, state }: Service): boolean {
  return wanted === 'observed' ? state === 'running' : state === wanted;
}

async function list(path: string, json: boolean): Promise<number> {
  const answer = await ask(path, '/api/v1/world');
  if (answer.status !== 200) {
    complain(`the agent answered with status ${answer.status}`);
    return 2;
  }
  const { services, at } = JSON.parse(answer.body) as WorldAnswer;
  if (json) print(JSON.stringify(services, undefined, 2));
  else if (services.length === 0) print('no services are configured');
  else print(serviceLines({ at, services }).join('\n'));
  return services.every(asWanted) ? 0 : 1;
}

function saidOf({ body, status }: Answer): string {
  try {
    const { answer, error, message } = JSON.parse(body) as Readonly<Record<string, unknown>>;
    const text = [answer, error, message].find((one) => typeof one === 'string');
    return typeof text === 'string' ? plain(text).slice(0, 500) : `status ${status}`;
  } catch {
    return `status ${status}`;
  }
}

async function say(path: string, deed: string, service: string): Promise<number> {
  const answer = await ask(path, '/api/v1/service', JSON.stringify({ deed, service }));
  const said = saidOf(answer);
  if (answer.status === 200) {
    print(said);
    return 0;
  }
  complain(said);
  return 1;
}

export async function run(args: ParsedArgs): Promise<number> {
  const [deed = 'list', name] = args.operands;
  if (!DEEDS.includes(deed)) {
    const near = nearest(deed, DEEDS);
    complain(
      `service cannot ${plain(deed).slice(0, 40)} (${near === undefined ? `one of ${DEEDS.join(', ')}` : `did you mean '${near}'?`})`,
    );
    return 2;
  }
  if ((deed === 'list') !== (name === undefined)) {
    complain(deed === 'list' ? 'list takes no name' : `service ${deed} needs a name`);
    return 2;
  }
  const socket = await findSocket(args);
  if (!socket.ok) {
    complain(socket.message);
    return 2;
  }
  try {
    if (name === undefined) return await list(socket.path, args.switches.has('json'));
    return await say(socket.path, deed, name);
  } catch (error) {
    complain((error as Error).message);
    return deed === 'list' ? 2 : 1;
  }
}
