// What a connection has to write: what may be taken back, what it costs, and what it keeps.
#include "backends/moray/output.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace backends::moray;

namespace {

struct Writer {
  void add(std::uint32_t id, std::size_t bytes, bool held_up = false) {
    output.next(id, bytes, true, held_up).append(bytes, static_cast<char>('a' + id % 26));
  }
  /// Writes all, `at_once` bytes at a time. Everything that was written.
  std::string drain(std::size_t at_once) {
    std::string all;
    for (std::string_view next = output.pending(); !next.empty(); next = output.pending()) {
      longest = std::max(longest, next.size());
      next = next.substr(0, at_once);
      all.append(next);
      output.wrote(next.size());
      // Beside what is to be written: what is written of the string, or of one large frame.
      CHECK(output.bytes_held() <= output.bytes() + std::max(longest, Output::kStringBytesMax));
    }
    return all;
  }

  Load load;
  Output output{load};
  std::size_t longest = 0;
};

}  // namespace

TEST_CASE("moray output: the frames of a turn are one string") {
  Writer writer;
  for (std::uint32_t id = 1; id <= 100; ++id) writer.add(id, 1'000);
  CHECK(writer.output.pending().size() == 100'000);
  CHECK(writer.load.unsent_bytes == 100'000);
  CHECK(writer.output.prompt_unsent() == 100);
  writer.output.wrote(100'000);
  CHECK(writer.output.pending().empty());
  CHECK(writer.load.unsent_bytes == 0);
  CHECK(writer.output.prompt_unsent() == 0);
}

TEST_CASE("moray output: a backlog is written in order, and its memory goes as it is written") {
  Writer writer;
  std::string expected;
  for (std::uint32_t id = 1; id <= 1'000; ++id) {
    const std::size_t bytes = id % 100 == 0 ? 1 << 20 : 25'000;
    writer.add(id, bytes, true);
    expected.append(bytes, static_cast<char>('a' + id % 26));
  }
  CHECK(writer.output.bytes() == expected.size());
  CHECK(writer.drain(100'000) == expected);
  CHECK(writer.longest <= 1 << 20);  // a frame alone, or 256 KiB of them
  CHECK(writer.output.bytes_held() <= Output::kStringBytesMax);
  CHECK(writer.load.unsent_bytes == 0);
  CHECK(writer.output.bytes_written() == expected.size());
}

TEST_CASE("moray output: what has not begun to be written is taken back, and nothing else") {
  Writer writer;
  writer.add(1, 10);
  writer.output.pending();
  writer.output.wrote(4);
  for (std::uint32_t id = 2; id <= 5; ++id) writer.add(id, 10, true);
  CHECK_FALSE(writer.output.take_back(1));
  CHECK(writer.output.take_back(3));
  CHECK_FALSE(writer.output.take_back(3));
  CHECK(writer.output.take_back(5));
  CHECK(writer.load.unsent_bytes == 26);
  CHECK(writer.output.prompt_unsent() == 3);
  writer.add(6, 10);  // the socket takes again, but others are before it
  CHECK(writer.drain(7) ==
        std::string(6, 'b') + std::string(10, 'c') + std::string(10, 'e') + std::string(10, 'g'));
}

TEST_CASE("moray output: a full string begins a queue, also where the socket takes all") {
  Writer writer;
  writer.add(1, 200 << 10);
  writer.add(2, 200 << 10);
  CHECK(writer.output.pending().size() == 200 << 10);
  CHECK(writer.output.take_back(2));
  CHECK_FALSE(writer.output.take_back(1));
}

TEST_CASE("moray output: at its end it says which requests were untouched") {
  Writer writer;
  writer.add(1, 10);
  for (std::uint32_t id = 2; id <= 4; ++id) writer.add(id, 10, true);
  CHECK(writer.output.take_back(3));
  CHECK(writer.output.clear() == std::vector<std::uint32_t>{2, 4});
  CHECK(writer.load.unsent_bytes == 0);
  CHECK(writer.output.pending().empty());
  CHECK(writer.output.prompt_unsent() == 0);
}
