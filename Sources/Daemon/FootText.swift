/// The sentence that tells a recipient how to stop a mailing, by language.
enum FootText {
    static let stop: [String: String] = [
        "de": "Wenn Sie diese Nachrichten nicht mehr erhalten möchten, nutzen Sie diesen Link:",
        "en": "To stop receiving these messages, use this link:",
        "fr": "Pour ne plus recevoir ces messages, utilisez ce lien :",
        "nl": "Wilt u deze berichten niet meer ontvangen? Gebruik dan deze link:",
        "sk": "Ak si už neželáte dostávať tieto správy, použite tento odkaz:",
    ]
}
