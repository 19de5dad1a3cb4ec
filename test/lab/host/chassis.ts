/** Run by the BMC's simulator: `chassis.js SOCKET set power 0`. Says what the lab says. */
import { createConnection } from 'node:net';

const [path = '', ...words] = process.argv.slice(2);
const socket = createConnection(path, () => socket.write(`${words.join(' ')}\n`));
socket.on('error', () => process.exit(1));
socket.pipe(process.stdout);
