#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>

#include <boost/unordered/unordered_flat_map.hpp>

#include "backends/shard.hpp"

namespace backends::moray {

/// Requests of one shard that wait for a connection, whole, in order of arrival: those for streams
/// apart from the others, since neither wait for the other. Lives on one worker; the owner bounds
/// their number and bytes. Every call is O(1) beside the bytes that it copies.
class WaitingRequests {
 public:
  struct Entry {
    std::uint64_t ticket;
    std::string payload;
    Request request;  ///< its pieces are replaced by `payload`
    ReplySink* sink;
  };
  using List = std::list<Entry>;

  void add(std::uint64_t ticket, const Request& request, ReplySink& sink) {
    List& list = list_of(request.stream);
    list.push_back({ticket, {}, request, &sink});
    Entry& entry = list.back();
    std::size_t bytes = 0;
    for (const std::string_view piece : request.pieces) bytes += piece.size();
    entry.payload.reserve(bytes);
    for (const std::string_view piece : request.pieces) entry.payload.append(piece);
    entry.request.pieces = {};
    entry.request.ring = {};  // the caller's, too
    bytes_ += bytes;
    places_.emplace(ticket, std::prev(list.end()));
  }

  /// The entry after it. Of `list_of` the same kind.
  List::iterator erase(List::iterator entry) {
    bytes_ -= entry->payload.size();
    places_.erase(entry->ticket);
    return list_of(entry->request.stream).erase(entry);
  }
  /// Whether it was here.
  bool cancel(std::uint64_t ticket) {
    const auto place = places_.find(ticket);
    if (place == places_.end()) return false;
    erase(place->second);
    return true;
  }
  /// All of a kind, which wait no more. O(their number).
  List take(bool streams) {
    List taken;
    taken.swap(list_of(streams));
    for (const Entry& entry : taken) {
      bytes_ -= entry.payload.size();
      places_.erase(entry.ticket);
    }
    return taken;
  }

  [[nodiscard]] List& list_of(bool streams) { return streams ? streams_ : points_; }
  [[nodiscard]] bool empty() const { return places_.empty(); }
  [[nodiscard]] std::size_t size() const { return places_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  List points_, streams_;
  boost::unordered_flat_map<std::uint64_t, List::iterator> places_;
  std::size_t bytes_ = 0;
};

}  // namespace backends::moray
