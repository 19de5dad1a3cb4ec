/**
 * The agent in a process of the bench's own, put together as the command `run` does it, that writes down
 * each measured time and each health of one component. Speaks one JSON object a line on its standard
 * output, and ends with its standard input.
 *
 *     node host.js '{"config":{...},"api":true,"watch":"link/bench0"}'
 */
import { writeSync } from 'node:fs';
import { startAgent } from '../../agent/agent.ts';
import { type Api, openApi } from '../../agent/api/feed.ts';
import { monotonicNow } from '../../agent/ports/clock.ts';
import { loadCollectors } from '../../agent/units.ts';
import type { Config } from '../../rules/config.ts';
import type { Health, Sample } from '../../rules/model.ts';

export interface HostOptions {
  readonly config: Config;
  /** With the API's process, as always in service; without it, as in no service. */
  readonly api: boolean;
  /** Component whose changes of health are told. */
  readonly watch?: string;
}

/** `changed` carries CLOCK_MONOTONIC of the moment the world was there. */
export type HostLine =
  | { readonly kind: 'ready' }
  | { readonly kind: 'changed'; readonly health: Health; readonly at: number }
  | { readonly kind: 'samples'; readonly samples: readonly Sample[] };

function print(line: HostLine): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}

/** Told at once, for a change; each second, for the times. */
const SAMPLES_EVERY_MS = 1_000;

async function host({ config, api: withApi, watch }: HostOptions): Promise<void> {
  const onTrouble = (why: string): void => void process.stderr.write(`${why}\n`);
  const onCommand = async (): Promise<string> => 'not here';
  const api: Api | undefined = withApi
    ? await openApi({ config, onTrouble, onCommand })
    : undefined;
  let samples: Sample[] = [];
  let before: Health | undefined;
  const agent = await startAgent({
    config,
    collectors: await loadCollectors(),
    polling: false,
    onTrouble,
    onWorld: (world, vitals, more) => {
      const at = monotonicNow();
      api?.publish(world, vitals, more);
      samples.push(...more);
      if (watch === undefined) return;
      const health = world.components.find(({ id }) => id === watch)?.health;
      if (health === before || health === undefined) return;
      before = health;
      print({ kind: 'changed', health, at });
    },
  });
  await agent.loop.ready;
  print({ kind: 'ready' });
  const telling = setInterval(() => {
    print({ kind: 'samples', samples });
    samples = [];
  }, SAMPLES_EVERY_MS);
  process.stdin.resume();
  await new Promise((resolve) => process.stdin.on('end', resolve));
  clearInterval(telling);
  await Promise.all([agent.close(), api?.close()]);
}

await host(JSON.parse(process.argv[2] ?? '{}') as HostOptions);
