/**
 * What `nospof capture NAME` does: reads every source of a collector once and gives the texts that make
 * a bug report or a fixture. It reads exactly what the agent reads, through the same probe.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeCapture } from '../collectors/lib/capture.ts';
import type { Collector } from '../collectors/lib/collector.ts';
import type { Roots } from '../rules/config.ts';
import type { ReadPorts } from './ports/port.ts';
import { openProbe } from './probe.ts';

export interface Capture {
  readonly source: string;
  readonly text: string;
}

/** One capture for each source, in their order. `notes` go on top of each as comments. Closes the ports. */
export async function captureCollector(
  collector: Collector,
  options: { readonly roots: Roots; readonly ports: ReadPorts; readonly runDir: string },
  notes: readonly string[] = [],
): Promise<readonly Capture[]> {
  const probe = openProbe(options);
  try {
    return await Promise.all(
      collector.sources.map(async (source) => ({
        source: source.name,
        text: encodeCapture(await probe.read(source), [
          `${collector.name}/${source.name}`,
          ...notes,
        ]),
      })),
    );
  } finally {
    await probe.close();
  }
}

/**
 * Writes `FOLDER/SOURCE.CASE.snap` for each capture and gives the paths. Readable by the owner only:
 * captures hold serial numbers and addresses. Throws when a file is already there or cannot be written.
 */
export function writeCaptures(
  folder: string,
  name: string,
  captures: readonly Capture[],
): readonly string[] {
  return captures.map(({ source, text }) => {
    const path = join(folder, `${source}.${name}.snap`);
    writeFileSync(path, text, { flag: 'wx', mode: 0o600 });
    return path;
  });
}
