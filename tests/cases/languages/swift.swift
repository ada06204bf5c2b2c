import Foundation
import class UIKit.UIView

let limit = 3

/// Holds cups.
class Shelf: Base {
    var cups: [String] = []

    init(cups: [String]) {
        self.cups = cups
    }

    func count() -> Int {
        // Never more than the limit.
        if cups.count > limit {
            return limit
        }
        for cup in cups {
            print("cup \(cup)")
        }
        return cups.count
    }
}

struct Cup {
    let name: String
}

enum Size {
    case small, large
}

protocol Filter {
    func keep(cup: String) -> Bool
}

extension Shelf {
    func wash() {}
}

typealias Cups = [Cup]

func pour(_ shelf: Shelf) -> Int {
    return shelf.count()
}
