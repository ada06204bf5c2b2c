# Read by llama.cpp's own CMakeLists.txt when `scripts/setup` or the VS Code extension build it:
# leaves out the library of its command line tools, which is half of the build and which nothing in
# Python calls. A variable, because llama-cpp-python sets the option of this name in the cache, by
# force.
set(LLAMA_BUILD_COMMON OFF)
