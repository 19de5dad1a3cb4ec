/**
 * The orders of a profile for the outlets of a request: which objects are written, in which order, with
 * what. Orders that name no outlet (a commit, an unlock) are written once, where they stand.
 */
import type { SnmpTable, Write } from './profile.ts';
import { type Bind, listPlace, type Target } from './snmp-table.ts';
import { listObjectOf, type Numbers, objectOf } from './template.ts';

export interface SnmpWrite {
  readonly oid: string;
  readonly type: 'integer' | 'unsigned' | 'text';
  readonly value: number | string;
}

export interface Order extends SnmpWrite {
  readonly list: { readonly separator: string; readonly place: number } | undefined;
  readonly cancels: boolean;
}

interface Setting {
  readonly targets: readonly Target[];
  readonly product: Numbers;
  readonly secrets: Readonly<Record<string, string>>;
}

const SECRET = 'secret:';

function orderOf(write: Write, target: Target, setting: Setting, cancels: boolean): Order | string {
  const numbers = { ...target.address.numbers, ...setting.product };
  const shared = write.shared === true || write.list !== undefined;
  const object = shared
    ? listObjectOf(write.oid, numbers)
    : objectOf(write.oid, target.address.instance, numbers);
  if (!object.ok) return object.why;
  let { value } = write;
  if (typeof value === 'string' && value.startsWith(SECRET)) {
    const name = value.slice(SECRET.length);
    const secret = setting.secrets[name];
    if (secret === undefined) return `the secret '${name}' is not configured`;
    value = secret;
  }
  const type = write.type ?? (typeof value === 'number' ? 'integer' : 'text');
  const list =
    write.list === undefined
      ? undefined
      : { separator: write.list.separator, place: listPlace(write.list, numbers) };
  return { oid: object.text, type, value, list, cancels };
}

/** Every write for every outlet; a text says why there are none. */
export function ordersOf(
  table: SnmpTable,
  want: 'on' | 'off',
  setting: Setting,
): readonly Order[] | string {
  const orders: Order[] = [];
  const cancels = table.cancel ?? [];
  const writes = [...cancels, ...table[want]];
  for (const [at, write] of writes.entries()) {
    const targets = write.shared === true ? setting.targets.slice(0, 1) : setting.targets;
    for (const target of targets) {
      const order = orderOf(write, target, setting, at < cancels.length);
      if (typeof order === 'string') return order;
      orders.push(order);
    }
  }
  return orders;
}

/** The whole list with one position changed; undefined when it is not the list it should be. */
export function editedList(order: Order, bind: Bind | undefined): string | undefined {
  const { list } = order;
  if (list === undefined || bind?.kind !== 'text') return undefined;
  const parts = bind.value.split(list.separator);
  if (parts[list.place] === undefined) return undefined;
  return parts.with(list.place, String(order.value)).join(list.separator);
}
