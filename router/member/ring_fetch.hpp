#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>

#include "coordination/session.hpp"
#include "fleet/images/image.hpp"
#include "fleet/sources/ring_search.hpp"
#include "router/member/image_history.hpp"
#include "router/member/settings.hpp"

namespace router {

class Log;

/// Tells a ring of this router's own, by digest, on the caller's loop; or why it has none.
using OwnRing = std::function<void(const std::string& digest, fleet::RingMade told)>;

/// Rings for a fleet's member, one at a time: from the chunks in the service's nodes, where an edit
/// of a ring that this router has makes another one; from other members, by HTTP, where they are
/// not there; from the configured URL. What is no image of that ring is logged with its source, and
/// the next one is asked. Lives on the loop's thread, which is the session's.
class RingFetch {
 public:
  struct Fetched {
    std::shared_ptr<const ring::Ring> ring;
    std::string why;        ///< there is none: for people
    bool for_good = false;  ///< and it is of no use to ask again
  };
  using Done = std::function<void(Fetched)>;

  RingFetch(boost::asio::io_context& loop, FleetSettings settings, fleet::MakeRing make,
            OwnRing own, Log& log);
  RingFetch(const RingFetch&) = delete;
  RingFetch& operator=(const RingFetch&) = delete;

  /// Null: there is none; who waits for an answer of it is told so.
  void session(coordination::Session* session);
  /// `done` may be called from inside, where there is no session. What is under way is given up:
  /// its `done` is never called.
  void fetch(const std::string& digest, const fleet::Geometry& geometry, Done done);
  [[nodiscard]] const ImageHistory& history() const { return history_; }

 private:
  void of_chunks(std::string bytes);
  void of_edit(const std::string& base, std::string bytes);
  void make(std::string bytes, std::shared_ptr<const ring::Ring> base, const std::string& from,
            std::uint64_t& count);
  void elsewhere(const std::string& chunks);
  void search(const fleet::Roster& roster);
  void searched(fleet::RingFound found);
  void refuse(const std::string& from, const std::string& why);
  void got(std::shared_ptr<const ring::Ring> ring, const std::string& from, std::uint64_t& count);
  void fail(const std::string& why, bool for_good);
  /// A callback of the fetch that is under way now; of another it does nothing.
  template <typename Then>
  auto guarded(Then then);

  boost::asio::io_context& loop_;
  const FleetSettings settings_;
  const fleet::MakeRing make_;
  const OwnRing own_;
  Log& log_;
  coordination::Session* session_ = nullptr;
  Done waiting_;
  bool asks_service_ = false;
  std::uint64_t asked_ = 0;  // so often: an answer to another question is none
  std::string digest_;       // of the ring that was fetched last
  fleet::Geometry geometry_;
  std::string chunks_;  // what is wrong with those of `digest_`
  bool chunks_refused_ = false;
  int vain_ = 0;  // so often, one time after the other, nobody had it
  ImageHistory history_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace router
