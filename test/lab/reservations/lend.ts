/**
 * Lends the disks of a lab machine to the lab: commands come over a TCP connection on the machine's own
 * loopback and go through the agent's port. One JSON object a line; bytes are `{ "bytes": BASE64 }`.
 */
import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import { findDisks, lookAt, pathsOf } from '../../../agent/disks/look.ts';
import { findSgNodes } from '../../../agent/disks/paths.ts';
import { openScsi } from '../../../agent/ports/scsi.ts';
import { lineReader } from '../vm/protocol.ts';
import { fromWire, type Lend, type Lent, ROOTS, toWire } from './wire.ts';

const port = await openScsi({ runDir: mkdtempSync('/run/lend-') });

async function answer(message: Lend): Promise<unknown> {
  switch (message.op) {
    case 'paths': {
      const { disks } = await findDisks(port, findSgNodes(ROOTS));
      return disks.map((disk) => ({
        wwid: disk.wwid,
        paths: disk.paths.map(({ node, port: target }) => ({ ...node, port: target })),
        machine: pathsOf(disk),
      }));
    }
    case 'look': {
      const { disks } = await findDisks(port, findSgNodes(ROOTS));
      return Promise.all(disks.map((disk) => lookAt(port, disk)));
    }
    case 'send':
      return port.send({ device: message.device, wwid: message.wwid }, message.requests, {
        deadlineMs: message.deadlineMs,
      });
  }
}

const server = createServer((socket) => {
  const take = lineReader((line) => {
    const message = fromWire(line) as Lend;
    void answer(message)
      .catch((error: Error) => ({ error: error.message }))
      .then((result) => {
        const lent: Lent = { id: message.id, result };
        socket.write(`${toWire(lent)}\n`);
      });
  });
  socket.setEncoding('utf8').on('data', take);
  socket.on('error', () => undefined);
});
server.listen(Number(process.argv[2]), '127.0.0.1');
