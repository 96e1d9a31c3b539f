// Reads simulations from standard input, a JSON list, and writes what IAM would say to each: Allowed, ImplicitlyDenied, …
import { readFileSync } from "node:fs";
import { runSimulation } from "@cloud-copilot/iam-simulate";

const answers = [];
for (const simulation of JSON.parse(readFileSync(0, "utf8"))) {
  const result = await runSimulation(simulation, {});
  if (result.resultType === "error") {
    throw new Error(JSON.stringify(result.errors));
  }
  answers.push(result.overallResult);
}
process.stdout.write(JSON.stringify(answers));
