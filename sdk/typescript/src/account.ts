/**
 * A logged-in account: its devices, its second factor, its end.
 */
import { toBase64 } from './base64.js';
import type { Cipher } from './cipher.js';
import { Device, type DeviceStores } from './device.js';
import { ProblemError, SealpostError } from './errors.js';
import { LinkApproval, type ApproveOptions } from './link-approval.js';
import type { Environment } from './options.js';
import { keysBody } from './prekeys.js';
import type { Session } from './session.js';
import { Fields, type Address, type DeviceInfo } from './wire.js';

/** What a registration of a device may say beside its keys. */
export interface DeviceOptions extends DeviceStores {
  /** Shown to the account's own devices. */
  readonly name?: string;
  /** The device whose place this one takes: its keys and messages are gone, its sessions end. */
  readonly replaceDeviceId?: number;
}

/** A session of an account. Made by `Sealpost`. */
export class Account {
  readonly #environment: Environment;
  readonly #session: Session;

  /** @internal */
  constructor(
    environment: Environment,
    session: Session,
    /** The account's id, which others send to. */
    readonly accountId: string,
  ) {
    this.#environment = environment;
    this.#session = session;
  }

  /**
   * Registers the device that `cipher` stands for, and ties this session to it. The first device brings the account's
   * identity; each later one is linked by having the same, handed over by an older device. To repeat it after an error, with
   * the same cipher, registers one device.
   *
   * @throws {ProblemError} `identity-mismatch`, `too-many-devices`, `session-bound`
   */
  async registerDevice(cipher: Cipher, options: DeviceOptions = {}): Promise<Device> {
    const full = this.#environment.limits.preKeysFull;
    const keys = await cipher.newKeys({ signed: true, preKeys: full, pqPreKeys: full });
    const body = {
      registrationId: await cipher.registrationId(),
      identityKey: toBase64(await cipher.identityKey()),
      name: options.name ?? null,
      replaceDeviceId: options.replaceDeviceId ?? null,
      ...keysBody(keys),
    };
    // The server knows the device again by its session.
    const call = { method: 'POST', route: '/v1/devices', body, repeatable: true } as const;
    const { deviceId } = await this.#session.callForTokens(call, (answer) => answer.number('deviceId'));
    return this.device(cipher, { ...options, deviceId });
  }

  /** The device that this session is tied to, after a restart. */
  async device(cipher: Cipher, options: DeviceStores & { readonly deviceId?: number | undefined } = {}): Promise<Device> {
    const deviceId = options.deviceId ?? (await this.#session.tokens()).deviceId;
    if (deviceId === undefined) throw new SealpostError('this session has no device; register one');
    return Device.of(this.#environment, this.#session, cipher, { accountId: this.accountId, deviceId }, options);
  }

  /**
   * Links a new device by the code that it shows: hands over the account's identity, and waits until the device is
   * registered. Gives its address; nothing, if `confirm` said no. This session has to have a device itself.
   *
   * @throws {LinkCodeError} the text is no code for linking, or of another server
   * @throws {LinkExpiredError} nobody shows this code any more, or the new device did not register in time
   */
  approveLink(code: string, options: ApproveOptions): Promise<Address | undefined> {
    return new LinkApproval(this.#environment, this.#session, this.accountId).approve(code, options);
  }

  /** Lists the devices of this account. */
  async devices(): Promise<DeviceInfo[]> {
    const { body } = await this.#session.call({ method: 'GET', route: '/v1/devices' });
    return new Fields({ devices: body }, 'GET /v1/devices').objects('devices').map((device) => ({
      deviceId: device.number('deviceId'),
      registrationId: device.number('registrationId'),
      ...(device.has('name') ? { name: device.string('name') } : {}),
      createdAt: device.number('createdAt'),
      ...(device.has('lastSeenAt') ? { lastSeenAt: device.number('lastSeenAt') } : {}),
    }));
  }

  /** Names a device of this account; `null` takes the name away. */
  async renameDevice(deviceId: number, name: string | null): Promise<void> {
    const values = { device: deviceId };
    await this.#session.call({ method: 'PUT', route: '/v1/devices/{device}/name', values, body: { name } });
  }

  /** Removes a device of this account, with its keys and messages. That there is none (any more) is fine. */
  async removeDevice(deviceId: number): Promise<void> {
    const call = { method: 'DELETE', route: '/v1/devices/{device}', values: { device: deviceId } } as const;
    await this.#session.call(call).catch((error: unknown) => {
      if (!(error instanceof ProblemError && error.slug === 'device-not-found')) throw error;
    });
  }

  /** Finds the account that has a name, exactly. */
  async find(username: string): Promise<string | undefined> {
    const call = { method: 'GET', route: '/v1/accounts/by-username/{username}', values: { username } } as const;
    try {
      return new Fields((await this.#session.call(call)).body, `GET ${call.route}`).string('accountId');
    } catch (error) {
      if (error instanceof ProblemError && error.slug === 'account-not-found') return undefined;
      throw error;
    }
  }

  /** Begins to set up a second factor: gives the secret for the owner's authenticator, as text and as `otpauth:` URI. */
  async enrolTotp(password: string): Promise<{ readonly secret: string; readonly uri: string }> {
    const route = '/v1/accounts/current/totp';
    const { body } = await this.#session.callOnce({ method: 'POST', route, body: { password } });
    const fields = new Fields(body, `POST ${route}`);
    return { secret: fields.string('secret'), uri: fields.string('uri') };
  }

  /** Turns the second factor on with a code of it. Gives recovery codes, which are shown this once. */
  async confirmTotp(code: string): Promise<string[]> {
    const route = '/v1/accounts/current/totp/confirm';
    const { body } = await this.#session.callOnce({ method: 'POST', route, body: { code } });
    return new Fields(body, `POST ${route}`).strings('recoveryCodes');
  }

  /** Turns the second factor off. */
  async disableTotp(password: string, code: string): Promise<void> {
    await this.#session.callOnce({ method: 'DELETE', route: '/v1/accounts/current/totp', body: { password, code } });
  }

  /** Ends this session. */
  async logOut(): Promise<void> {
    await this.#session.call({ method: 'DELETE', route: '/v1/sessions/current' });
    await this.#session.end();
  }

  /** Deletes the account, with everything that the server holds of it. */
  async delete(password: string): Promise<void> {
    await this.#session.callOnce({ method: 'DELETE', route: '/v1/accounts/current', body: { password } });
    await this.#session.end();
  }
}
