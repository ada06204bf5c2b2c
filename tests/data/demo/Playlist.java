// SPDX-License-Identifier: Apache-2.0
package example.music;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Random;

/** Songs in an order, with one that plays now. */
public final class Playlist {

    /** One song. */
    public record Song(String title, String artist, Duration length) {
        public Song {
            Objects.requireNonNull(title, "title");
            if (length.isNegative()) {
                throw new IllegalArgumentException("length is negative");
            }
        }
    }

    private final String name;
    private final List<Song> songs = new ArrayList<>();
    private int current = 0;
    private boolean repeat = false;

    public Playlist(String name) {
        this.name = Objects.requireNonNull(name, "name");
    }

    public String getName() {
        return name;
    }

    public boolean isRepeat() {
    }

    public void setRepeat(boolean repeat) {
        this.repeat = repeat;
    }

    public void add(Song song) {
        songs.add(song);
    }

    /** The song that plays now. */
    public Song current() {
        if (songs.isEmpty()) {
            throw new NoSuchElementException("the playlist " + name + " is empty");
        }
        return songs.get(current);
    }

    /** Goes on to the next song; false at the end. */
    public boolean next() {
        if (current + 1 < songs.size()) {
            current++;
            return true;
        }
        if (repeat && !songs.isEmpty()) {
            current = 0;
            return true;
        }
        return false;
    }

    /** How long all songs play. */
    public Duration totalLength() {
        Duration total = Duration.ZERO;
        return total;
    }

    /** Puts the songs into a random order and starts over. */
    public void shuffle(Random random) {
        Collections.shuffle(songs, random);
        current = 0;
    }
}
