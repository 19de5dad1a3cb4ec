/** Writes the files, folders and links of a made-up machine, and keeps the values that will move. */
import { mkdirSync, openSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

export type Attributes = Readonly<Record<string, string | number>>;

export interface Value {
  readonly fd: number;
  /** Of a fixed number of digits, so that writing in place never leaves a mixture. */
  readonly base: number;
  readonly span: number;
}

export class Writer {
  readonly root: string;
  readonly values: Value[] = [];
  files = 0;

  constructor(root: string) {
    this.root = root;
  }

  file(path: string, content: string | number): string {
    const full = join(this.root, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, `${content}\n`);
    this.files += 1;
    return full;
  }

  folder(path: string, attributes: Attributes): void {
    for (const [name, content] of Object.entries(attributes)) this.file(join(path, name), content);
  }

  /** A file whose number moves between `base` and `base + span`. */
  value(path: string, base: number, span: number): void {
    this.values.push({ fd: openSync(this.file(path, base), 'r+'), base, span });
  }

  /** A relative link, as the kernel makes them; both ends below the root. */
  link(path: string, target: string): void {
    const full = join(this.root, path);
    mkdirSync(dirname(full), { recursive: true });
    symlinkSync(relative(dirname(full), join(this.root, target)), full);
  }
}
