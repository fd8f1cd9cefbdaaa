/** A build is aborted: somebody stops it, a time is over, or an approval is refused. */
class Interrupted extends RuntimeException {
    Interrupted(String message) { super(message) }
}
