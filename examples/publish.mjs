// Publish reviews to Otzyv with amqplib: one message of two reviews, one message of a single review.
//
//   npm install amqplib
//   OTZYV_AMQP_URL=amqp://user:password@host:5672/vhost node examples/publish.mjs [message.json ...]
//
// A message counts as handed over only when the broker has confirmed it and has not returned it as unroutable.

import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import amqp from "amqplib";

const url = process.env.OTZYV_AMQP_URL ?? "amqp://guest:guest@127.0.0.1:5672//";
const samples = ["message.json", "message_single.json"].map((name) => fileURLToPath(new URL(name, import.meta.url)));
const paths = process.argv.length > 2 ? process.argv.slice(2) : samples;

async function main() {
  const connection = await amqp.connect(url, { timeout: 10_000 });
  connection.on("error", () => {}); // the pending call below rejects with the same error
  const channel = await connection.createConfirmChannel();
  channel.on("error", () => {});
  let returned = null;
  channel.on("return", (message) => { returned = message.fields; });
  await channel.checkExchange("reviews"); // passive: fails if it is missing, never creates it
  for (const path of paths) {
    channel.publish("reviews", "incoming", await readFile(path), { // UTF-8 JSON, sent as it is
      contentType: "application/json",
      contentEncoding: "utf-8",
      persistent: true,
      mandatory: true, // without a queue behind the exchange the broker hands the message back
    });
    const late = delay(10_000, null, { ref: false }).then(() => { throw new Error("no confirm in 10 s"); });
    await Promise.race([channel.waitForConfirms(), late]); // a refusal by the broker rejects
    // A return always arrives before its confirm.
    if (returned) throw new Error(`${basename(path)}: returned, no queue took it (${returned.replyText})`);
    console.log(`${basename(path)}: confirmed`);
  }
  await connection.close();
}

main().catch((error) => {
  console.error(`not published: ${error.message}`);
  process.exit(1);
});
