import groovy.json.JsonSlurper
import org.junit.Test

/** Pipelines with the real command, on the sandbox; `sandbox.json` beside the pipelines says how it is reached. */
class SandboxTest extends DeclarativeTest {
    String wrapper

    /** One build after another: in a workspace that is the deployment repository. */
    void build(String pipeline, Map parameters, Closure answered = { null }, Closure aborted = null) {
        def known = new JsonSlurper().parse(new File(System.getProperty('pipelines'), 'sandbox.json'))
        workspace = new File(known.repository)
        wrapper = known.wrapper
        shell = new Shell(workspace)
        system = known.environment
        answer = answered
        build.clear()
        build.putAll([result: 'SUCCESS', description: null, displayName: null])
        failed = false
        [stagesRun, stagesSkipped, inputs, published].each { it.clear() }
        shell.abortWhen = aborted
        start("sandbox/${pipeline}.Jenkinsfile", parameters)
    }

    @Test
    void anAppIsDeployedDriftIsSeenAndARollbackIsChosen() {
        def known = new JsonSlurper().parse(new File(System.getProperty('pipelines'), 'sandbox.json'))
        def app = known.app
        def chosen = [STAGE: 'local', REGION: 'london', APP: app, CONFIRMED: false]

        build('deploy', chosen + [VERSION: '1'])
        assert build.result == 'SUCCESS'
        assert build.description == "local ${app} 1: deployed in london".toString()
        def cases = new XmlSlurper().parse(new File(workspace, 'deploy-report/deploy.xml')).testsuite.testcase
        assert cases*.@name*.text() == ['london'] && cases.failure.size() == 0

        build('drift', [:])
        assert build.result == 'SUCCESS', build.description

        build('deploy', chosen + [VERSION: '2'])
        assert build.description == "local ${app} 2: deployed in london".toString()

        build('drift', [:])
        assert build.result == 'UNSTABLE' // the app's file says 1
        assert build.description.contains('planned in london')

        build('rollback', [STAGE: 'local', REGION: 'london', APP: app]) { question ->
            def choices = question.parameters[0].choices.readLines()
            assert choices.size() == 1 && choices[0].contains(' · 1 · ')
            return choices[0]
        }
        assert build.result == 'SUCCESS'
        assert build.description == "local ${app} 1: restored in london".toString()

        build('deploy', chosen + [APP: '$(touch pwned)', VERSION: '1'])
        assert build.result == 'FAILURE'
        assert build.description == 'there is no app $(touch pwned)'
        assert !new File(workspace, 'pwned').exists()

        // Its pods take a minute to be ready, and are stopped while they are waited for.
        build('deploy', chosen + [VERSION: 'slow'], { null }) {
            status(app).targets.every { it.state == 'in progress' && it.workloads.every { it.ready == 1 } }
        }
        assert build.result == 'ABORTED'
        assert build.description == "stopped by SIGTERM\nlocal ${app} slow: interrupted in london".toString()
        assert !new File(workspace, 'deploy-report/deploy.pid').exists()

        build('deploy', chosen + [VERSION: '1'])
        assert build.result == 'SUCCESS'
    }

    /** What runs, as the command tells it. */
    private Map status(String app) {
        def told = new Shell(workspace).run('"$DEPLOY" status local ' + app + ' --json', system + [DEPLOY: wrapper], true)
        return new JsonSlurper().parseText(told.stdout)
    }
}
