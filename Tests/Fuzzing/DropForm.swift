/// The two forms of a drop, as the job reader asks for them. It stands in for the file of Spool that has them, which
/// reads names of directories and needs more than the readers that are fuzzed.
package struct DropName: Hashable, Sendable {
    package enum Form: String, Hashable, Sendable {
        case single
        case bundle
    }
}
