/**
 * One read of the `reach` port, printed as JSON: what `reach.test.ts` runs inside a network namespace,
 * because a process cannot enter one by itself. Argument: the port's options as JSON.
 */
import { openReach } from '../agent/ports/reach.ts';

const port = openReach(JSON.parse(process.argv[2] ?? '{}'));
const entry = await port.read({ kind: 'reach' });
port.close();
process.stdout.write(`${JSON.stringify(entry)}\n`);
