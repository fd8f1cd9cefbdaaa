import com.lesfurets.jenkins.unit.BasePipelineTest
import org.codehaus.groovy.runtime.InvokerInvocationException
import org.junit.Before
import org.junit.Rule
import org.junit.rules.TemporaryFolder

/**
 * Runs declarative pipelines, which this version of JenkinsPipelineUnit does not know by itself: each directive is
 * registered as a step. A stage's directives are collected first and then run in Jenkins' order: when, agent, steps, post.
 */
abstract class DeclarativeTest extends BasePipelineTest {
    @Rule public TemporaryFolder folder = new TemporaryFolder()

    File workspace
    Shell shell
    Map<String, Object> given = [:]          // parameters that the build is started with
    Map<String, String> system = [:]         // the agent's own environment
    Map defined = [:]                        // parameters and their defaults, as the pipeline defines them
    Map build = [result: 'SUCCESS', description: null, displayName: null]
    List<String> stagesRun = [], stagesSkipped = [], labels = [], archived = [], echoed = []
    List<Map> inputs = [], timeouts = [], published = [], credentials = []
    List<String> crons = []
    Closure answer = { Map question -> null } // of who is asked; throws Interrupted to refuse
    protected List<Map> open = []              // directives of the pipeline and the stages around
    protected List<Map> variables = []         // withEnv and environment, the innermost last
    protected List<String> held = []           // agents
    boolean failed = false

    @Override
    @Before
    void setUp() {
        workspace = folder.newFolder('workspace')
        shell = new Shell(workspace)
        scriptRoots = [System.getProperty('pipelines')] as String[]
        scriptExtension = ''
        super.setUp()
        structure()
        definitions()
        steps()
    }

    /** Runs a pipeline, a path below the directory of pipelines, and gives the build's result. */
    String start(String pipeline, Map parameters = [:]) {
        given = parameters
        binding.setVariable('currentBuild', build)
        binding.setVariable('none', 'none')
        binding.setVariable('any', 'any')
        binding.setVariable('params', given)
        binding.setVariable('env', [BUILD_NUMBER: '7'])
        loadScript(pipeline).run()
        return build.result
    }

    // --- pipeline, stages, stage ------------------------------------------------------------------------------------

    protected void structure() {
        def me = this // a step's closure is handed to the pipeline, which would be asked for methods first
        on('pipeline', [Closure]) { Closure body ->
            def frame = me.collected(body)
            assert frame.agent == 'none'
            frame.environment.each { assert it.value instanceof String }
            variables.add(frame.environment)
            try { frame.stages() } finally { variables.clear() }
        }
        ['stages', 'steps', 'parallel', 'when', 'post'].each { name ->
            on(name, [Closure]) { Closure body ->
                assert !open.last().containsKey(name)
                open.last()[name] = body
            }
        }
        on('stage', [String, Closure]) { String name, Closure body -> me.stage(name, body) }
        on('agent', [Closure]) { Closure body -> body() }
        on('agent', [String]) { String which -> open.last().agent = which }
        on('label', [String]) { String label -> open.last().agent = label }
        on('environment', [Closure]) { Closure body ->
            body.delegate = open.last().environment
            body.resolveStrategy = Closure.DELEGATE_FIRST
            body()
        }
        on('script', [Closure]) { Closure body -> body() }
        on('beforeAgent', [boolean]) { boolean before -> open.last().beforeAgent = before }
        on('expression', [Closure]) { Closure body -> open.last().expression = body }
        ['always', 'failure', 'aborted', 'unstable', 'success'].each { name ->
            on(name, [Closure]) { Closure body -> open.last()[name] = body }
        }
    }

    protected Map collected(Closure body) {
        def frame = [environment: [:]]
        open << frame
        try { body() } finally { open.remove(open.size() - 1) }
        return frame
    }

    protected void stage(String name, Closure body) {
        assert !(name in stagesRun) && !(name in stagesSkipped): "two stages are called ${name}"
        def frame = collected(body)
        assert ['steps', 'stages', 'parallel'].count { frame.containsKey(it) } == 1
        def condition = frame.when ? collected(frame.when) : null
        if (failed || (condition && !condition.expression())) {
            stagesSkipped << name
            return
        }
        assert !condition || !frame.agent || condition.beforeAgent: "${name} takes an agent in order to be left out"
        stagesRun << name
        if (frame.agent) {
            labels << "${name}: ${frame.agent}".toString()
            held.add(frame.agent)
        }
        def broken = false // what is caught in a stage keeps no other from running
        try {
            if (frame.parallel) {
                parallel(frame.parallel)
            } else {
                (frame.steps ?: frame.stages)()
            }
        } catch (Throwable trouble) {
            broken = true
            note(trouble)
        }
        if (frame.post) {
            def conditions = collected(frame.post)
            try {
                conditions.always?.call()
                if (broken) { conditions.failure?.call() }
            } catch (Throwable trouble) {
                broken = true
                note(trouble)
            }
        }
        if (frame.agent) { held.remove(held.size() - 1) }
        failed = failed || broken
    }

    /** Branches do not stop each other. */
    protected void parallel(Closure branches) {
        def me = this
        def before = failed
        def after = before
        on('stage', [String, Closure]) { String name, Closure body ->
            me.failed = before
            me.stage(name, body)
            after = after || me.failed
        }
        try { branches() } finally {
            on('stage', [String, Closure]) { String name, Closure body -> me.stage(name, body) }
            failed = after
        }
    }

    /** A trouble becomes the build's result, unless that is a worse one already. */
    protected void note(Throwable trouble) {
        def cause = trouble
        while (cause instanceof InvokerInvocationException || cause instanceof java.lang.reflect.InvocationTargetException) {
            cause = cause.cause
        }
        if (!(cause instanceof Interrupted) && !(cause instanceof StepFailed)) { throw trouble }
        worsen(cause instanceof Interrupted ? 'ABORTED' : 'FAILURE')
    }

    protected void worsen(String result) {
        def order = ['SUCCESS', 'UNSTABLE', 'FAILURE', 'ABORTED']
        if (order.indexOf(result) > order.indexOf(build.result)) { build.result = result }
    }

    // --- parameters, options, triggers ------------------------------------------------------------------------------

    protected void definitions() {
        def me = this
        ['parameters', 'options', 'triggers'].each { name -> on(name, [Closure]) { Closure body -> body() } }
        on('choice', [Map]) { Map one -> defined[one.name] = one.choices; one }
        on('string', [Map]) { Map one -> if (one.name) { defined[one.name] = one.defaultValue }; one }
        on('booleanParam', [Map]) { Map one -> defined[one.name] = one.defaultValue; one }
        on('logRotator', [Map]) { Map one -> one }
        on('buildDiscarder', [Object]) { Object one -> one }
        on('cron', [String]) { String when -> crons << when }
    }

    // --- steps ------------------------------------------------------------------------------------------------------

    protected void steps() {
        def me = this
        on('sh', [String]) { String script -> me.sh([script: script]) }
        on('sh', [Map]) { Map arguments -> me.sh(arguments) }
        on('echo', [String]) { String text -> echoed << text }
        on('error', [String]) { String text -> throw new StepFailed(text) }
        on('unstable', [String]) { String text -> me.worsen('UNSTABLE') }
        on('readFile', [String]) { String name -> new File(workspace, name).getText('UTF-8') }
        on('junit', [Map]) { Map one ->
            assert new File(workspace, one.testResults).exists() || one.allowEmptyResults
            published << one
        }
        on('archiveArtifacts', [Map]) { Map one -> archived << one.artifacts.toString() }
        on('catchError', [Map, Closure]) { Map one, Closure body ->
            try { body() } catch (StepFailed trouble) { me.worsen(one.buildResult) }
        }
        on('timeout', [Map, Closure]) { Map time, Closure body -> timeouts << time; body() }
        on('withEnv', [List, Closure]) { List pairs, Closure body ->
            variables.add(pairs.collectEntries { pair -> [(pair.substring(0, pair.indexOf('='))): pair.substring(pair.indexOf('=') + 1)] })
            try { body() } finally { variables.remove(variables.size() - 1) }
        }
        on('withCredentials', [List, Closure]) { List bindings, Closure body -> credentials.addAll(bindings); body() }
        on('sshagent', [Map, Closure]) { Map one, Closure body -> credentials << one; body() }
        on('input', [Map]) { Map question ->
            assert held.empty: 'an agent is held while somebody is waited for'
            inputs << question
            return answer(question)
        }
    }

    protected Object sh(Map arguments) {
        assert !held.empty: 'there is no agent to run this on'
        def environment = system + given.collectEntries { name, value -> [(name): value.toString()] }
        variables.each { environment += it }
        def ended = shell.run(arguments.script, environment, arguments.returnStdout as boolean)
        if (arguments.returnStatus) { return ended.status }
        if (ended.status != 0) { throw new StepFailed("script returned exit code ${ended.status}") }
        return arguments.returnStdout ? ended.stdout : null
    }

    protected void on(String name, List<Class> types, Closure body) {
        helper.registerAllowedMethod(name, types, body)
    }
}
