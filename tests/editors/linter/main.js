const { execFile } = require("node:child_process");
const vscode = require("vscode");

const COMMAND = ["-m", "ruff", "check", "--isolated", "--no-cache", "--output-format=json", "-"];

exports.activate = () => {
  const found = vscode.languages.createDiagnosticCollection("ruff");

  const lint = (document) => {
    if (document.languageId !== "python" || document.uri.scheme !== "file") {
      return;
    }
    const show = (_failure, output) => {
      const complaints = JSON.parse(output || "[]").filter(({ code }) => code !== "invalid-syntax");
      found.set(document.uri, complaints.map(diagnostic));
    };
    execFile(process.env.LINTER_PYTHON, COMMAND, show).stdin.end(document.getText());
  };

  vscode.workspace.textDocuments.forEach(lint);
  vscode.workspace.onDidOpenTextDocument(lint);
  vscode.workspace.onDidChangeTextDocument(({ document }) => lint(document));
};

function diagnostic({ location, end_location: end, message, code }) {
  const range = new vscode.Range(location.row - 1, location.column - 1, end.row - 1, end.column - 1);
  return Object.assign(new vscode.Diagnostic(range, message), { code, source: "ruff" });
}
