/// Which campaignd this is.
package enum ProgramVersion {
    /// The version of all programs, and of the Debian package: the first line of debian/changelog has the same.
    package static let current = "0.1"
}
