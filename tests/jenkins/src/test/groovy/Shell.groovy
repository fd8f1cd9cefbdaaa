/** Runs scripts as Jenkins' `sh` does: by a real shell, in the workspace, with the build's variables. */
class Shell {
    final File workspace
    /** When this is so, the command that runs is stopped as by an abort: SIGTERM, and no waiting. */
    Closure<Boolean> abortWhen = null

    Shell(File workspace) { this.workspace = workspace }

    /** `status` and `stdout`; throws Interrupted where it was aborted. */
    Map run(String script, Map<String, String> variables, boolean captured) {
        def file = File.createTempFile('script', '.sh', workspace)
        file.setText(script, 'UTF-8')
        def output = File.createTempFile('stdout', '.txt', workspace)
        def builder = new ProcessBuilder('/bin/sh', '-xe', file.path).directory(workspace)
        builder.redirectError(ProcessBuilder.Redirect.INHERIT)
        builder.redirectOutput(captured ? ProcessBuilder.Redirect.to(output) : ProcessBuilder.Redirect.INHERIT)
        builder.environment().putAll(variables)
        def process = builder.start()
        if (abortWhen && script.contains('exec ')) {
            while (process.alive && !abortWhen()) { Thread.sleep(50) }
            if (process.alive) {
                process.destroy()
                throw new Interrupted('aborted')
            }
        }
        def status = process.waitFor()
        def told = captured ? output.getText('UTF-8') : ''
        file.delete()
        output.delete()
        return [status: status, stdout: told]
    }
}
