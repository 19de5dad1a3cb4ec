/**
 * What machine this is, asked once, for an info metric: vendor, board and BIOS, so that a fleet can be
 * searched by hardware. It runs in the API process because the library starts programs and takes
 * memory; whatever goes wrong there costs only this one series.
 */
export type MachineFacts = Readonly<Record<string, string>>;

const DEADLINE_MS = 20_000;

function fact(value: unknown): string {
  return typeof value === 'string' ? value.trim() : '';
}

/** Facts by label name; undefined when they could not be had in time. */
export async function askMachine(): Promise<MachineFacts | undefined> {
  try {
    const { default: information } = await import('systeminformation');
    const all = Promise.all([information.system(), information.baseboard(), information.bios()]);
    const late = new Promise<undefined>((resolve) => {
      setTimeout(() => resolve(undefined), DEADLINE_MS).unref();
    });
    const answer = await Promise.race([all, late]);
    if (answer === undefined) return undefined;
    const [system, board, bios] = answer;
    return {
      manufacturer: fact(system.manufacturer),
      model: fact(system.model),
      board: `${fact(board.manufacturer)} ${fact(board.model)}`.trim(),
      bios_vendor: fact(bios.vendor),
      bios_version: fact(bios.version),
    };
  } catch {
    return undefined;
  }
}
