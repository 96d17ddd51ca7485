#pragma once

#include <cstdint>
#include <vector>

#include "bench/proxy/histogram.hpp"
#include "bench/proxy/sockets.hpp"
#include "bench/proxy/workload.hpp"
#include "fast/decoder.hpp"

namespace bench {

/// What a run adds up. Requests count from the moment that `measuring` is set.
struct Tally {
  bool measuring = false;
  std::uint64_t done = 0;
  std::uint64_t failed = 0;   ///< a wrong answer, an error, a lost connection's requests
  std::uint64_t refused = 0;  ///< with an OverloadedError; neither done nor failed
  Histogram latency;
};

/// One connection of the load generator: sends requests, checks every frame of their answers.
class LoadClient {
 public:
  LoadClient(std::uint16_t port, fast::Version version, const Workload& workload, Tally& tally);

  /// Puts a request into the output. `due`: the time that its latency counts from, in nanoseconds.
  void ask(Kind kind, std::uint32_t key, std::uint64_t due);
  /// Reads what is there; the number of requests that it answered. `now` in nanoseconds.
  std::size_t read(std::vector<char>& buffer, std::uint64_t now);
  void flush();

  [[nodiscard]] int socket() const { return socket_.get(); }
  [[nodiscard]] bool waits_to_write() const { return !output_.empty(); }
  [[nodiscard]] bool lost() const { return lost_; }
  [[nodiscard]] std::size_t outstanding() const { return outstanding_; }

 private:
  struct Pending {
    std::uint64_t due = 0;
    std::uint32_t message_id = 0;  // 0: free
    std::uint32_t key = 0;
    std::uint32_t rows = 0;
    Kind kind = Kind::get;
    bool wrong = false;
  };
  bool take(const fast::Frame& frame, std::uint64_t now);
  void lose();

  Descriptor socket_;
  fast::Version version_;
  const Workload& workload_;
  Tally& tally_;
  fast::Decoder decoder_{256u << 20};
  Output output_;
  std::vector<Pending> pending_;  // a message id's lower bits are its place here
  std::vector<std::uint32_t> free_;
  std::uint32_t round_ = 0;  // its upper bits, so that a late answer is known
  std::size_t outstanding_ = 0;
  bool lost_ = false;
};

}  // namespace bench
