/**
 * One node over all its lives: it is built and booted, its system is set up and the agent started; it
 * may lose its power, and be booted again with the same disks and the same page.
 */
import { findVerb, PARTS, partsOf } from './parts/all.ts';
import type { Node, Plan } from './parts/part.ts';
import { AGENT_LOG, AGENT_PORT } from './parts/system.ts';
import type { Host, Vm } from './vm/vm.ts';
import { startVm } from './vm/vm.ts';

const READY_MS = 120_000;

export interface LabNode extends Node {
  /** Where its page and metrics are, on this host; undefined: it runs no agent. */
  readonly url: string | undefined;
  readonly isOn: () => boolean;
  /** When its process ended, in milliseconds of `performance.now()`. */
  readonly endedAt: () => number | undefined;
}

export class Machine implements LabNode {
  readonly name: Plan['name'];
  readonly spec: Plan['spec'];
  readonly run: Plan['run'];
  readonly power: Plan['power'];
  readonly networkPort: Plan['networkPort'];
  readonly shared: Plan['shared'];
  readonly figures: string[] = [];
  url: string | undefined;
  boots = 0;
  readonly #host: Host;
  #vm: Vm | undefined;
  #port: number;
  #endedAt: number | undefined;
  #wasCut = false;
  #starting: Promise<void> = Promise.resolve();
  /** Why a start that nobody waited for failed. */
  #failed: Error | undefined;

  constructor(host: Host, plan: Omit<Plan, 'boots' | 'figures'>, port: number) {
    this.name = plan.name;
    this.spec = plan.spec;
    this.run = plan.run;
    this.power = plan.power;
    this.networkPort = plan.networkPort;
    this.shared = plan.shared;
    this.#host = host;
    this.#port = port;
  }

  get vm(): Vm {
    if (this.#vm === undefined) throw new Error(`${this.name} was never started`);
    return this.#vm;
  }

  isOn = (): boolean => this.#vm !== undefined && this.#endedAt === undefined;
  endedAt = (): number | undefined => this.#endedAt;
  failed = (): Error | undefined => this.#failed;

  /** Builds it and waits until its system runs. */
  powerOn = async (): Promise<void> => {
    const { name, spec } = this;
    const hardware: string[] = [];
    for (const part of partsOf(spec)) hardware.push(...((await part.build?.(this)) ?? []));
    this.#endedAt = undefined;
    this.#wasCut = false;
    const systemd = Object.keys(spec.units).length > 0;
    const { memoryMb } = spec;
    const vm = await startVm(this.#host, { name, memoryMb, systemd, hardware }, (one) => {
      this.#vm = one;
      void one.ended.then(() => this.#onEnd(one));
      // Its power may have gone while it was being built.
      if (this.power?.gives(name) === false) this.cut();
    });
    await vm.up();
  };

  #onEnd(vm: Vm): void {
    if (this.#vm !== vm) return;
    this.#endedAt = performance.now();
    vm.guest.close();
    vm.qmp.close();
  }

  /** Sets its system up and starts the agent. */
  settle = async (): Promise<void> => {
    const { guest } = this.vm;
    for (const part of partsOf(this.spec)) await part.settle?.(this);
    await guest.run(['udevadm', 'settle']);
    this.boots += 1;
    if (!this.spec.agent) return;
    await findVerb(this.spec, 'agent start').verb.act(this, []);
    this.#port = await guest.forward(AGENT_PORT, this.#port);
    this.url = `http://127.0.0.1:${this.#port}`;
  };

  /** Boots it again after it ended; nothing is done while it runs. */
  start = (): Promise<void> => {
    this.#starting = this.#starting.then(async () => {
      // Power that comes back at once finds the process of the earlier life still ending.
      if (this.#wasCut) await this.#vm?.ended;
      if (this.isOn()) return;
      for (const part of PARTS) part.unbuild?.(this.name);
      await this.powerOn();
      await this.settle();
    });
    return this.#starting;
  };

  /** The same without anybody who waits: power is back. */
  startAlone = (): void => {
    this.start().catch((error: Error) => {
      this.#failed = error;
      this.#starting = Promise.resolve();
    });
  };

  /** Power cut: its process is killed. */
  cut = (): void => {
    this.#wasCut = true;
    this.#vm?.cutPower();
  };

  /** Waits until the agent has read everything once. */
  untilReady = async (): Promise<void> => {
    const end = Date.now() + READY_MS;
    let said = 'nothing';
    while (Date.now() < end) {
      try {
        const answer = await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(5_000) });
        said = (await answer.text()).trim();
        if (answer.ok) return;
      } catch (error) {
        said = (error as Error).message;
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    const log = await this.vm.guest.read(AGENT_LOG);
    throw new Error(`the agent on ${this.name} is not ready: ${said}\n${log.slice(-2_000)}`);
  };

  close = async (): Promise<void> => {
    this.cut();
    await this.#vm?.ended;
    // One that was being booted when the lab ended finds its process gone.
    await this.#starting.catch(() => undefined);
    this.cut();
    await this.#vm?.ended;
    for (const part of PARTS) part.unbuild?.(this.name);
  };
}
