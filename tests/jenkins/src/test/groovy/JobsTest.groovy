import com.lesfurets.jenkins.unit.BasePipelineTest
import org.junit.Before
import org.junit.Test

/** The script of Job DSL, and the small pipeline in it that hands over to the job that deploys. */
class JobsTest extends BasePipelineTest {
    Map<String, Map> made = [:]
    private Map current

    @Override
    @Before
    void setUp() {
        scriptRoots = [System.getProperty('pipelines')] as String[]
        scriptExtension = ''
        super.setUp()
        ['folder', 'pipelineJob'].each { kind ->
            helper.registerAllowedMethod(kind, [String, Closure]) { String name, Closure body ->
                current = made[name] = [kind: kind, parameters: [:]]
                body()
            }
        }
        ['definition', 'cpsScm', 'scm', 'git', 'remote', 'cps', 'parameters'].each { name ->
            helper.registerAllowedMethod(name, [Closure]) { Closure body -> body() }
        }
        ['description', 'url', 'credentials', 'branch', 'scriptPath', 'script'].each { name ->
            helper.registerAllowedMethod(name, [String]) { String text -> current[name] = text }
        }
        ['lightweight', 'sandbox'].each { name -> helper.registerAllowedMethod(name, [boolean]) { boolean on -> current[name] = on } }
        helper.registerAllowedMethod('choiceParam', [String, List, String]) { String name, List all, String text -> current.parameters[name] = all }
        helper.registerAllowedMethod('stringParam', [String, String, String]) { String name, String value, String text -> current.parameters[name] = value }
        helper.registerAllowedMethod('booleanParam', [String, boolean, String]) { String name, boolean value, String text -> current.parameters[name] = value }
    }

    @Test
    void thereIsAJobPerPipelineAndPerRegion() {
        loadScript('jenkins/jobs.groovy').run()
        assert made.findAll { it.value.kind == 'folder' }.keySet() as List == [
            'deployments', 'deployments/dev', 'deployments/preprod', 'deployments/prod']
        def all = made['deployments/all']
        assert [all.url, all.credentials, all.branch, all.scriptPath, all.lightweight] == [
            'https://git.example.com/team/deployments.git', 'git-read', 'main', 'jenkins/all.Jenkinsfile', true]
        assert made.keySet().containsAll(['deploy', 'waves', 'all', 'rollback', 'drift'].collect { "deployments/${it}".toString() })
        assert made['deployments/prod/seoul'].parameters == [APP: ['web'], VERSION: '', CONFIRMED: false, STAGE: ['prod'], REGION: ['seoul']]
        assert made['deployments/prod/london'].parameters.APP == ['api', 'web']
    }

    @Test
    void withoutAnAddressItIsTheSeedJobsOwn() {
        binding.setVariable('GIT_URL', 'ssh://seed')
        loadScript('stages/jobs.groovy').run()
        assert made['deployments/deploy'].url == 'ssh://seed'
    }

    @Test
    void aRegionsJobHandsOverAndTakesTheResult() {
        loadScript('jenkins/jobs.groovy').run()
        def job = made['deployments/prod/seoul']
        assert job.sandbox
        def file = new File(System.getProperty('pipelines'), 'handover.Jenkinsfile')
        file.text = job.script
        def started = null
        helper.registerAllowedMethod('string', [Map]) { Map one -> one }
        helper.registerAllowedMethod('booleanParam', [Map]) { Map one -> one }
        helper.registerAllowedMethod('build', [Map]) { Map one -> started = one; [result: 'FAILURE', description: 'told'] }
        binding.setVariable('params', [STAGE: 'prod', REGION: 'seoul', APP: 'web', VERSION: '', CONFIRMED: true])
        def build = [:]
        binding.setVariable('currentBuild', build)
        loadScript('handover.Jenkinsfile').run()
        assert started.job == '../deploy' && !started.propagate
        assert started.parameters.collectEntries { [it.name, it.value] } == [STAGE: 'prod', REGION: 'seoul', APP: 'web', VERSION: '', CONFIRMED: true]
        assert build == [description: 'told', result: 'FAILURE']
    }
}
