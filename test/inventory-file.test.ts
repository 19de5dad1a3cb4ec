/** The inventory on disk: bad files are set aside and never overwritten, failed writes are tried again. */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { INVENTORY_FILE, loadInventory, openInventoryFile } from '../agent/ports/inventory-file.ts';
import { mkfifo, until } from './place.ts';

t.test('a write that failed is tried again and said once', async (t) => {
  const folder = t.testdir();
  const path = join(folder, INVENTORY_FILE);
  // A folder in the way: the rename fails for root too.
  mkdirSync(path);
  const troubles: string[] = [];
  const file = openInventoryFile(folder, (why) => troubles.push(why), 20);
  let tries = 0;
  file.save(() => {
    tries += 1;
    return 'what was found';
  });
  t.ok(await until(() => tries > 2, 10_000), 'tried again');
  t.equal(troubles.length, 1);
  t.match(troubles[0], /EISDIR/u);
  rmdirSync(path);
  t.ok(await until(() => troubles.length === 2, 10_000));
  t.match(troubles[1], /again/u);
  await file.close();
  t.equal(readFileSync(path, 'utf8'), 'what was found');
});

t.test('closing while nothing can be written ends', async (t) => {
  const folder = t.testdir({ [INVENTORY_FILE]: {} });
  const troubles: string[] = [];
  const file = openInventoryFile(folder, (why) => troubles.push(why), 20);
  file.save(() => 'text');
  await file.close();
  t.equal(troubles.length, 1);
});

t.test('what cannot be read is set aside, not overwritten', async (t) => {
  for (const [name, make] of [
    ['a folder', (path: string) => mkdirSync(path)],
    ['a pipe nobody writes into', mkfifo],
    ['cut off', (path: string) => writeFileSync(path, '{"format":')],
  ] as const) {
    const folder = t.testdir();
    make(join(folder, INVENTORY_FILE));
    const troubles: string[] = [];
    t.same(await loadInventory(folder, (why) => troubles.push(why)), [], name);
    t.same(readdirSync(folder), [`${INVENTORY_FILE}.bad`], name);
    t.match(troubles, [/will not be missed/u], name);
  }
});
