// Do the container files and the systemd units give the guard the least rights that work, and survive what it watches?
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parseConfig } from "../../src/config.ts";
import { files, text, yaml } from "./bundle.ts";

type Service = {
  readonly image?: string;
  readonly user?: string;
  readonly pid?: string;
  readonly network_mode?: string;
  readonly privileged?: boolean;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly cap_add?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly mem_limit?: string;
  readonly init?: boolean;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly stop_grace_period?: string;
  readonly profiles?: readonly string[];
};
const { services } = yaml<{ readonly services: Readonly<Record<string, Service>> }>("docker-compose.yml");

suite("docker-compose.yml", () => {
  test("has the whole stack, of which dashboards and the example gateway are optional", () => {
    assert.deepEqual(
      Object.entries(services).map(([name, { profiles }]) => [name, profiles?.join() ?? "always"]),
      [
        ["pidns", "always"],
        ["setup", "always"],
        ["guard", "always"],
        ["prometheus", "always"],
        ["alertmanager", "always"],
        ["grafana", "grafana"],
        ["gateway", "gateway"],
      ],
    );
  });

  for (const [name, service] of Object.entries(services)) {
    // Somebody else's image: what it needs to write and to be allowed is not ours to say.
    const ours = name !== "gateway";
    test(`${name} is ${ours ? "hardened" : "not privileged"}, and its pages are for this host only`, () => {
      assert.ok(service.security_opt?.includes("no-new-privileges:true"));
      assert.notEqual(service.privileged, true);
      if (ours) {
        assert.equal(service.read_only, true);
        assert.deepEqual(service.cap_drop, ["ALL"]);
        assert.deepEqual(service.cap_add ?? [], name === "setup" ? ["CHOWN"] : []);
        assert.match(service.mem_limit ?? "", /^\d+m$/);
        assert.match(service.image ?? "", /:(?!latest)[\w.-]+$/);
      }
      for (const port of service.ports ?? []) assert.match(port, /^127\.0\.0\.1:\d+:\d+$/);
      for (const volume of service.volumes ?? []) assert.doesNotMatch(volume, /docker\.sock/);
    });
  }

  test("the guard outlives the gateway: both join the namespaces of a third", () => {
    for (const name of ["guard", "gateway"]) {
      assert.equal(services[name]?.pid, "service:pidns", name);
      assert.equal(services[name]?.network_mode, "service:pidns", name);
    }
    assert.equal(services["pidns"]?.init, true);
    for (const [name, { pid, network_mode }] of Object.entries(services)) {
      assert.notEqual(pid, "service:gateway", name);
      assert.notEqual(network_mode, "service:gateway", name);
    }
  });

  test("the guard runs as the gateway's user, which its image uses, too", () => {
    assert.equal(services["guard"]?.user, "1000:1000");
    assert.match(text("Dockerfile"), /^USER node$/m);
  });

  test("the gateway is given the time that its drain takes", () =>
    assert.equal(services["gateway"]?.stop_grace_period, "330s"));

  test("no way to the container engine is published", () => {
    const ports = Object.values(services).flatMap((service) => service.ports ?? []);
    assert.ok(ports.length > 0);
    for (const port of ports) assert.doesNotMatch(port, /:237[56]$/);
  });

  test("every file and folder that it mounts is in the repository", () => {
    const mounted = Object.values(services).flatMap(({ volumes = [] }) =>
      volumes
        .filter((volume) => volume.startsWith("./"))
        .map((volume) => volume.split(":")[0]?.slice(2) ?? ""),
    );
    assert.ok(mounted.length > 4);
    for (const path of mounted) {
      if (/\.\w+$/.test(path)) assert.ok(text(path).length > 0, path);
      else assert.ok(files(path, "").length > 0, path);
    }
  });

  test("the guard's configuration is valid, observes only, and reads the token that Alertmanager presents", () => {
    const config = parseConfig(yaml<unknown>("units/compose/guard.yml"));
    assert.equal(config.mode, "observe");
    const token = config.control.token_file ?? "";
    assert.ok(services["guard"]?.volumes?.includes(`secrets:${token.replace(/\/[^/]*$/, "")}:ro`), token);
    assert.match(
      text("alertmanager/alertmanager.yml"),
      new RegExp(`credentials_file: ${token.replace(/^.*\//, "")}\\b`),
    );
  });
});

suite("Dockerfile", () => {
  const dockerfile = text("Dockerfile");

  test("runs the sources unbuilt, without development packages, as a plain user", () => {
    assert.equal([...dockerfile.matchAll(/^FROM /gm)].length, 1, "no build stage");
    assert.match(dockerfile, /^FROM node:24-slim$/m);
    assert.match(dockerfile, /npm ci --omit=dev/);
    assert.match(dockerfile, /^COPY src /m);
    assert.match(dockerfile, /^CMD \["serve"/m);
  });

  test("is sent nothing but what it copies", () => {
    const wanted = [...dockerfile.matchAll(/^COPY (.*) \S+$/gm)]
      .flatMap(([, from]) => (from ?? "").split(" "))
      .sort();
    const lines = text(".dockerignore")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    assert.equal(lines[0], "*");
    assert.deepEqual(
      lines
        .slice(1)
        .map((line) => line.replace(/^!/, ""))
        .sort(),
      wanted,
    );
  });
});

/** The settings of a unit file; a setting that is given twice keeps its last value. */
function settings(path: string): ReadonlyMap<string, string> {
  const lines = text(path)
    .split("\n")
    .filter((line) => /^\w+=/.test(line));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}

const everywhere: Readonly<Record<string, string>> = {
  Type: "exec",
  Restart: "always",
  RestartSec: "2s",
  StartLimitIntervalSec: "0",
  UMask: "0077",
  MemoryHigh: "128M",
  MemoryMax: "192M",
  TasksMax: "64",
  StateDirectory: "openclaw-guard",
  NoNewPrivileges: "yes",
  LockPersonality: "yes",
  RestrictRealtime: "yes",
  RestrictSUIDSGID: "yes",
  RestrictNamespaces: "yes",
  RestrictAddressFamilies: "AF_UNIX AF_INET AF_INET6 AF_NETLINK",
  SystemCallArchitectures: "native",
  SystemCallFilter: "@system-service",
  SystemCallErrorNumber: "EPERM",
};

suite("systemd units", () => {
  for (const path of ["units/openclaw-guard.service", "units/user/openclaw-guard.service"]) {
    test(`${path} is hardened in the ways that work, and never in those that blind or kill`, () => {
      const unit = settings(path);
      for (const [name, value] of Object.entries(everywhere)) assert.equal(unit.get(name), value, name);
      assert.match(unit.get("ExecStart") ?? "", / serve --config /);
      // The compiler inside Node needs writable and executable memory; the others hide the gateway's /proc.
      for (const name of ["MemoryDenyWriteExecute", "PrivateUsers", "ProtectProc", "ProcSubset"]) {
        assert.equal(unit.get(name), undefined, name);
      }
    });
  }

  test("the user unit has no sandbox that needs a user namespace: it would be blind in one", () => {
    for (const name of settings("units/user/openclaw-guard.service").keys())
      assert.doesNotMatch(name, /^(Private|Protect)/);
  });

  test("the system unit runs without capabilities as the gateway's user, and is killed last", () => {
    const unit = settings("units/openclaw-guard.service");
    assert.match(unit.get("User") ?? "", /^(?!root$)\w+$/);
    assert.equal(unit.get("CapabilityBoundingSet"), "");
    assert.equal(unit.get("ProtectSystem"), "strict");
    assert.equal(unit.get("ProtectHome"), "read-only");
    assert.equal(unit.get("OOMScoreAdjust"), "-500");
  });
});
