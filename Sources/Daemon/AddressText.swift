import Foundation
package import Mailing

/// Reads addresses with Foundation's Normalization Form C, which the core cannot import.
package enum AddressText {
    package static func read(_ text: some StringProtocol) throws(EmailAddress.Invalid) -> EmailAddress {
        try EmailAddress(parsing: String(text)) { $0.precomposedStringWithCanonicalMapping }
    }

    static func result(_ text: String) -> Result<EmailAddress, EmailAddress.Invalid> {
        do throws(EmailAddress.Invalid) {
            return .success(try read(text))
        } catch {
            return .failure(error)
        }
    }
}
