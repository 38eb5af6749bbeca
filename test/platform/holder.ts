// Another process that holds a host-wide name until it is killed; says whether it got it.
import { claim } from "../../src/platform/lock.ts";

const held = await claim(process.argv[2] ?? "");
process.stdout.write(held === undefined ? "refused\n" : "held\n");
setInterval(() => undefined, 1000);
