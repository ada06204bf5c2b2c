package shop;

import java.util.ArrayList;
import static java.lang.Math.*;

/** Holds cups. */
public class Shelf<T> implements Iterable<T> {
    private final ArrayList<T> cups = new ArrayList<>();

    public Shelf() {
        cups.clear();
    }

    @Override
    public java.util.Iterator<T> iterator() {
        for (T cup : cups) {
            System.out.println("cup " + cup); // Show it.
        }
        return cups.iterator();
    }

    interface Filter {
        boolean keep(String cup);
    }

    enum Size { SMALL, LARGE }

    record Cup(String name, Size size) {}
}
