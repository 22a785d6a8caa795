/** The local service itself: Temporal and one worker kept alive, a control socket, and an end when idle. */
import type { ServiceStatus } from './control-protocol.js';
import { listenControl, type ControlServer } from './control-server.js';
import { createCredentialsVault } from './credentials-vault.js';
import { setAside, sizeOf, tellsOfDamage } from './database.js';
import { createIdleClock, type IdleClock } from './idle-clock.js';
import { KeptChild } from './kept-child.js';
import { boundLog, openLog } from './log-file.js';
import { claimPorts, writePorts } from './ports.js';
import { readOrMakeKey } from './private-key.js';
import type { ServiceArguments } from './service-arguments.js';
import { removeFile, serviceFiles, type ServiceFiles } from './service-files.js';
import { writeServiceRecord } from './service-record.js';
import { watchForSickness } from './sickness.js';
import { Silence } from './silence.js';
import type { StartLock } from './start-lock.js';
import { ownIdentity } from './take-over.js';
import {
  setRetention,
  spawnTemporal,
  waitForTemporal,
  type TemporalServer,
} from './temporal-child.js';
import { probeTemporal } from './temporal-probe.js';
import { OWN_NUMBERS, type Meeting } from './meeting.js';
import { readBuild, readWaybillVersion } from './version.js';
import { listenToWorker, spawnWorker } from './worker-child.js';
import type { WorkerMessage } from './worker-ipc.js';
import { WorkerTalk } from './worker-talk.js';

export interface SupervisorDeps {
  readonly args: ServiceArguments;
  /** The start lock; released once everything has ended. */
  readonly lock: StartLock;
  /** The Temporal identity of the last worker, proven dead. */
  readonly previousIdentity: string | undefined;
  readonly log: (line: string) => void;
  /** The umask of the shell that started the service. */
  readonly userUmask: number;
}

/** Longer than the worker takes to reach the next part and hand back what it has. */
const WORKER_GRACE_MS = 15_000;
const TEMPORAL_GRACE_MS = 5_000;
/** A command waits for the end of its inline service; the database is made to survive a killed server. */
const INLINE_TEMPORAL_GRACE_MS = 0;
/** Half of it costs a worker its attempts: its heartbeats have stopped. */
const WORKER_SILENT_MS = 60_000;
const LOG_CHECK_MS = 30_000;
const SICK_PROBE_MS = 10_000;
/** One read of what was logged since the last start. */
const DAMAGE_CHECK_MS = 2_000;

/** One service of one state folder. Make it with `createSupervisor`. */
export class Supervisor {
  /** Settles once everything has ended. */
  readonly stopped: Promise<void>;
  readonly #files: ServiceFiles;
  readonly #idle: IdleClock;
  readonly #lookMs: number;
  readonly #talk: WorkerTalk;
  readonly #temporal: KeptChild;
  readonly #worker: KeptChild;
  readonly #logs: { readonly temporal: number; readonly worker: number };
  readonly #startedAt = new Date().toISOString();
  readonly #version = readWaybillVersion();
  readonly #build = readBuild();
  readonly #own = ownIdentity();
  #control: ControlServer | undefined;
  /** Where the log of the running Temporal begins. */
  #temporalLogFrom = 0;
  #isDatabaseNew = false;
  /** Whether commands may know Temporal's address. */
  #wasReady = false;
  #timers: NodeJS.Timeout[] = [];
  #previousIdentity: string | undefined;
  #workerIdentity: string | undefined;
  #isKept = false;
  #isDisowned = false;
  #stopping: Promise<void> | undefined;
  #tellStopped: () => void = () => undefined;

  constructor(
    private readonly deps: SupervisorDeps,
    private server: TemporalServer,
  ) {
    const { args, log } = deps;
    this.#files = serviceFiles(args.stateDir);
    this.#previousIdentity = deps.previousIdentity;
    this.#idle = createIdleClock(args.idleAfterMs);
    this.#lookMs = Math.max(50, Math.min(5_000, args.idleAfterMs / 10));
    this.#logs = {
      temporal: openLog(this.#files.temporalLog),
      worker: openLog(this.#files.workerLog),
    };
    this.stopped = new Promise((resolve) => (this.#tellStopped = resolve));
    const onChange = (): void => this.#record();
    this.#temporal = new KeptChild({
      name: 'Temporal',
      log,
      onChange,
      spawn: () => this.#spawnTemporal(),
      onStarted: () => void this.#watchTemporal(),
      beforeRestart: () => this.#claimPortsAgain(),
    });
    this.#worker = new KeptChild({
      name: 'worker',
      log,
      onChange,
      spawn: () => this.#spawnWorker(),
    });
    const silence = new Silence(args.workerSilentMs ?? WORKER_SILENT_MS, this.#lookMs);
    this.#talk = new WorkerTalk(this.#worker, silence);
  }

  /**
   * Starts both children beside each other, then answers on the control socket.
   * @throws what kept it from it, for example ENOSPC; what was started runs until `stop`
   */
  async start(): Promise<void> {
    // The worker and every command read it; it lasts as long as the database.
    readOrMakeKey(this.#files.payloadKey);
    this.#temporal.start();
    this.#worker.start();
    this.#control = await listenControl(this.#files.controlSocket, {
      vault: createCredentialsVault(readOrMakeKey(this.#files.fingerprintKey)),
      status: async (clients, isFresh) => {
        if (isFresh) await this.#talk.howBusy();
        return this.#status(clients);
      },
      meet: async (clients, isFresh) => {
        if (isFresh) await this.#talk.howBusy();
        return this.#meeting(clients);
      },
      name: `Waybill ${this.#version}`,
      keep: (on) => {
        this.#isKept = on;
        this.#idle.touch();
      },
      stop: () => void this.stop('asked to'),
      onClients: () => {
        this.#idle.touch();
        this.#stopIfDisowned();
      },
    });
    this.#timers = [
      setInterval(() => this.#look(), this.#lookMs),
      setInterval(() => this.#boundLogs(), LOG_CHECK_MS),
      setInterval(() => this.#endDamagedTemporal(), DAMAGE_CHECK_MS),
    ];
  }

  /** The command that an inline service belongs to is gone: it ends once nobody else uses it. */
  disown(): void {
    this.#isDisowned = true;
    this.#stopIfDisowned();
  }

  /** Closes the socket, lets the worker drain, ends Temporal, gives up the lock. Twice is once. */
  stop(why: string): Promise<void> {
    this.#stopping ??= this.#stop(why);
    return this.#stopping;
  }

  async #stop(why: string): Promise<void> {
    this.deps.log(`stopping: ${why}`);
    for (const timer of this.#timers) clearInterval(timer);
    const closed = this.#control?.close();
    await this.#worker.stop(WORKER_GRACE_MS);
    const isInline = this.deps.args.mode === 'inline';
    await this.#temporal.stop(isInline ? INLINE_TEMPORAL_GRACE_MS : TEMPORAL_GRACE_MS);
    await closed;
    // A worker that had to be killed still holds activities in Temporal's eyes: the record names it.
    const holder = this.#workerIdentity ?? this.#previousIdentity;
    if (this.#worker.lastExit === 'exit code 0' || holder === undefined) this.#removeRecord();
    this.deps.lock.release();
    this.#tellStopped();
  }

  async #watchTemporal(): Promise<void> {
    const watched = this.#temporal.process;
    const isGone = (): boolean => this.#temporal.process !== watched;
    if (!(await waitForTemporal(this.#address, isGone))) return;
    this.#temporal.markReady();
    this.#wasReady = true;
    void watchForSickness({
      probe: () => probeTemporal(this.#address, SICK_PROBE_MS),
      isExpected: () => !isGone() && this.#temporal.state === 'ready',
      onSick: () => void this.#temporal.restart('it answers nothing but errors'),
    });
    const portsFile = this.#files.ports(this.deps.args.serverVersion);
    setRetention(this.server, portsFile, this.#logs.temporal, this.#isDatabaseNew);
  }

  /** A database that the last Temporal could not use is moved aside: pulls go on from their records (rule 5). */
  #spawnTemporal(): ReturnType<typeof spawnTemporal> {
    const { database } = this.server;
    const { temporalLog } = this.#files;
    if (this.#isDamageTold()) {
      this.deps.log(`the database ${database} is damaged: moved aside, starting with a new one`);
      setAside(database);
    }
    this.#temporalLogFrom = Math.max(1, sizeOf(temporalLog));
    this.#isDatabaseNew = sizeOf(database) === 0;
    if (this.#isDatabaseNew && this.server.ports.hasOnePartition !== true) {
      const ports = { ...this.server.ports, hasOnePartition: true };
      writePorts(this.#files.ports(this.deps.args.serverVersion), ports);
      this.server = { ...this.server, ports };
    }
    return spawnTemporal(this.server, this.#logs.temporal);
  }

  /**
   * A port may have gone to another program before Temporal had it. The web page's is changed; Temporal's own too, as
   * long as no command was told of it. Later the service ends, for its commands look for the next one then.
   */
  async #claimPortsAgain(): Promise<void> {
    const before = this.server.ports;
    const ports = await claimPorts(this.#files.ports(this.deps.args.serverVersion));
    this.server = { ...this.server, ports };
    if (ports.temporal === before.temporal) return;
    if (this.#wasReady) void this.stop('another program has the port of its Temporal');
    else await this.#worker.restart('Temporal has another port');
  }

  /** False before the first start: what earlier services logged is not asked. */
  #isDamageTold(): boolean {
    if (this.#temporalLogFrom === 0) return false;
    return tellsOfDamage(this.#files.temporalLog, this.#temporalLogFrom);
  }

  /** A Temporal that still runs over a damaged database answers nothing right any more; its end starts another. */
  #endDamagedTemporal(): void {
    if (this.#temporal.state === 'ready' && this.#isDamageTold()) {
      void this.#temporal.restart('its database is damaged');
    }
  }

  #spawnWorker(): ReturnType<typeof spawnWorker> {
    this.#previousIdentity = this.#workerIdentity ?? this.#previousIdentity;
    this.#workerIdentity = undefined;
    const child = spawnWorker(
      this.deps.args.workerScript,
      {
        stateDir: this.deps.args.stateDir,
        address: this.#address,
        controlSocket: this.#files.controlSocket,
        ...(this.deps.args.metricsBind === undefined
          ? {}
          : { metricsBind: this.deps.args.metricsBind }),
        ...(this.#previousIdentity === undefined
          ? {}
          : { previousIdentity: this.#previousIdentity }),
      },
      this.#logs.worker,
      this.deps.userUmask,
    );
    listenToWorker(child, (message) => this.#hear(message));
    return child;
  }

  #hear(message: WorkerMessage): void {
    this.#talk.hear(message);
    if (message.type !== 'ready') return;
    this.#workerIdentity = message.identity;
    this.#worker.markReady();
    this.#talk.ask();
  }

  #look(): void {
    if (this.#talk.isSilent()) void this.#worker.restart('it does not answer');
    this.#talk.ask();
    const occupation = {
      clients: this.#control?.clients ?? 0,
      openPulls: this.#talk.openPulls,
      isKept: this.#isKept,
    };
    if (this.#idle.isOver(occupation)) void this.stop('idle');
  }

  #stopIfDisowned(): void {
    if (this.#isDisowned && !this.#isKept && (this.#control?.clients ?? 0) === 0) {
      void this.stop('its command has ended');
    }
  }

  #boundLogs(): void {
    for (const log of [this.#files.serviceLog, this.#files.temporalLog, this.#files.workerLog]) {
      boundLog(log);
    }
  }

  get #address(): string {
    return `127.0.0.1:${this.server.ports.temporal}`;
  }

  get #uiAddress(): string {
    return `http://127.0.0.1:${this.server.ports.ui}`;
  }

  #meeting(clients: number): Meeting {
    const { waybillVersion, build, servicePid, openPulls, isKept, isStopping } =
      this.#status(clients);
    const known = openPulls === undefined ? {} : { openPulls };
    return {
      ...OWN_NUMBERS,
      waybillVersion,
      build,
      servicePid,
      clients,
      ...known,
      isKept,
      isStopping,
    };
  }

  #status(clients: number): ServiceStatus {
    const child = ({
      process,
      state,
      restarts,
      lastExit,
    }: KeptChild): ServiceStatus['temporal'] => ({
      ...(process?.pid === undefined ? {} : { pid: process.pid }),
      state,
      restarts,
      ...(lastExit === undefined ? {} : { lastExit }),
    });
    return {
      waybillVersion: this.#version,
      build: this.#build,
      mode: this.deps.args.mode,
      startedAt: this.#startedAt,
      stateDir: this.deps.args.stateDir,
      address: this.#address,
      uiAddress: this.#uiAddress,
      servicePid: process.pid,
      temporal: child(this.#temporal),
      worker: {
        ...child(this.#worker),
        ...(this.#workerIdentity === undefined ? {} : { identity: this.#workerIdentity }),
      },
      temporalCli: this.server.cli,
      serverVersion: this.deps.args.serverVersion,
      clients,
      ...(this.#talk.openPulls === undefined ? {} : { openPulls: this.#talk.openPulls }),
      isKept: this.#isKept,
      idleAfterMs: this.deps.args.idleAfterMs,
      isStopping: this.#stopping !== undefined,
    };
  }

  #removeRecord(): void {
    try {
      removeFile(this.#files.record);
    } catch (error) {
      // What it names has ended: whoever comes next finds nothing running.
      this.deps.log(String(error));
    }
  }

  #record(): void {
    const worker = this.#worker.identity;
    const identity = this.#workerIdentity;
    writeServiceRecord(this.#files.record, {
      v: 1,
      waybillVersion: this.#version,
      build: this.#build,
      mode: this.deps.args.mode,
      startedAt: this.#startedAt,
      service: this.#own,
      temporal: this.#temporal.identity,
      worker: worker && { ...worker, ...(identity === undefined ? {} : { identity }) },
      previousIdentity: identity ?? this.#previousIdentity,
      address: this.#address,
      uiAddress: this.#uiAddress,
      controlSocket: this.#files.controlSocket,
      temporalCli: this.server.cli,
      serverVersion: this.deps.args.serverVersion,
      database: this.server.database,
    });
  }
}

/**
 * Chooses the ports. The rest is its `start`.
 * @throws WaybillError WB_TEMPORAL_UNREACHABLE when an unrecorded Temporal has the database's port
 */
export async function createSupervisor(deps: SupervisorDeps): Promise<Supervisor> {
  const { stateDir, serverVersion, temporalCli } = deps.args;
  const files = serviceFiles(stateDir);
  return new Supervisor(deps, {
    cli: temporalCli,
    database: files.database(serverVersion),
    ports: await claimPorts(files.ports(serverVersion)),
  });
}
