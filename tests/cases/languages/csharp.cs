using System;
using Text = System.Text;

namespace Shop
{
    /// <summary>Holds cups.</summary>
    public class Shelf : IShelf
    {
        private readonly int limit = 3;

        public string Name { get; set; } = "shelf";

        public Shelf(int limit)
        {
            this.limit = limit;
        }

        public int Count(int cups)
        {
            if (cups > limit)
            {
                return limit; // Never more.
            }
            return cups;
        }
    }

    public interface IShelf
    {
        int Count(int cups);
    }

    public enum Size { Small, Large }

    public struct Cup { public int Volume; }

    public record Order(string Name, int Count);

    public delegate void Poured(Cup cup);
}
