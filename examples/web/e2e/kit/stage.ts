/** What a file of tests stands on: a model, an application behind a proxy, and people with browsers. */

import { type Browser, type BrowserContext, type BrowserContextOptions, chromium } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, inject } from "vitest";
import { App, type AppOptions } from "./app.ts";
import type { Name } from "./apps.ts";
import { Model } from "./model.ts";
import { Chat } from "./page.ts";
import { Proxy, type ProxyOptions } from "./proxy.ts";

export class Stage {
  model!: Model;
  app!: App;
  proxy!: Proxy;
  #browser!: Browser;
  readonly #people: BrowserContext[] = [];

  /** Errors that pages threw; there must be none. */
  readonly broken: string[] = [];

  constructor(
    readonly name: Name,
    private readonly options: AppOptions & ProxyOptions = {},
  ) {}

  async open(): Promise<void> {
    this.model = await Model.start();
    this.app = await App.start(this.name, this.model, this.options);
    this.proxy = await Proxy.start([this.app.port], this.options);
    this.#browser = await chromium.connect(inject("browser"));
  }

  async close(): Promise<void> {
    await this.leave();
    await this.#browser?.close();
    await this.proxy?.close();
    await this.app?.stop();
    await this.model?.close();
  }

  /** Somebody new: a browser without cookies and storage. */
  async person(options: BrowserContextOptions = {}): Promise<Person> {
    const context = await this.#browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    this.#people.push(context);
    context.on("weberror", (error) => this.broken.push(String(error.error())));
    return new Person(context, this);
  }

  /** Somebody new, who looks at the page. */
  async visit(options?: BrowserContextOptions): Promise<Chat> {
    return (await this.person(options)).tab();
  }

  async leave(): Promise<void> {
    await Promise.all(this.#people.splice(0).map((context) => context.close()));
  }
}

export class Person {
  constructor(
    readonly context: BrowserContext,
    private readonly stage: Stage,
  ) {}

  /** Another tab, at the page's beginning or an address of it. */
  async tab(url = `${this.stage.proxy.url}/`): Promise<Chat> {
    const chat = new Chat(await this.context.newPage(), this);
    await chat.page.goto(url);
    await chat.ready();
    return chat;
  }
}

/** An application for all tests of a file or a `describe`, and nobody left from the test before. */
export function stage(name: Name, options?: AppOptions & ProxyOptions): Stage {
  return stageOf(new Stage(name, options));
}

export function stageOf(it: Stage): Stage {
  beforeAll(() => it.open());
  afterEach(async () => {
    await it.leave();
    it.proxy.up();
    expect(it.broken.splice(0), "errors of the page").toEqual([]);
  });
  afterAll(() => it.close());
  return it;
}
