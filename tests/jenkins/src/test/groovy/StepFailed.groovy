/** A step fails, and the build with it. */
class StepFailed extends RuntimeException {
    StepFailed(String message) { super(message) }
}
