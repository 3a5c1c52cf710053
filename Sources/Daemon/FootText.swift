/// The sentence that tells a recipient how to stop a mailing, by language.
enum FootText {
    static let stop: [String: String] = [
        "de": "Wenn Sie diese Nachrichten nicht mehr erhalten möchten, schreiben Sie an:",
        "en": "To stop receiving these messages, write to:",
        "fr": "Pour ne plus recevoir ces messages, écrivez à :",
        "nl": "Wilt u deze berichten niet meer ontvangen? Schrijf dan naar:",
        "sk": "Ak si už neželáte dostávať tieto správy, napíšte na:",
    ]
}
