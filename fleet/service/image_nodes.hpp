#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "coordination/session.hpp"
#include "fleet/service/paths.hpp"

namespace fleet {

/// The most that an image has which goes through the service; its servers are small ones, and keep
/// what was written last in memory.
inline constexpr std::size_t kImageNodesBytesMost = 4U << 20;

/// How an image came to the service, or from it. `outcome` `done`: whole; `no_node`: it is not
/// there, or not whole; `refused`: `why` says what is wrong with it.
struct ImageOutcome {
  coordination::Outcome outcome = coordination::Outcome::unknown;
  std::string why;    ///< for people
  std::string bytes;  ///< of one that was read
};
using ImageDone = std::function<void(ImageOutcome)>;

// Images of rings and of sets of vnodes, by digest, in the service's nodes: chunks, and a header
// that says that all of them are there. Each call works on the session's thread until `done` is
// called there, never from inside; with the session it ends, and nothing is called. Each step names
// the version of the header's node. Those who write the same image share one version, and their
// chunks; who takes chunks away, or does not trust what is there, moves it, so that all others
// begin anew: a header never tells of chunks that are not there.

/// Makes it be there for an hour at least. `now`: Unix time, seconds. `anew`: what is there is
/// damaged, and written over; else an image that is whole is left as it is.
void put_image(coordination::Session& session, const Paths& paths, const std::string& digest,
               const std::string& bytes, std::int64_t now, bool anew, ImageDone done);
void get_image(coordination::Session& session, const Paths& paths, const std::string& digest,
               ImageDone done);
/// The same; where it is not there, it writes something and looks once more, since the server that
/// was asked may lag.
void find_image(coordination::Session& session, const Paths& paths, const std::string& digest,
                ImageDone done);

/// What may go: images that are older than an hour, and that nobody names.
struct ImageTidying {
  std::int32_t state = 0;  ///< its version, while no change is open: else nothing is removed
  std::function<bool(const std::string& digest)> needed;
  std::int64_t now = 0;        ///< Unix time, seconds
  std::function<void()> done;  ///< on the session's thread; not where the session ends before
};
/// What fails, or what another writes meanwhile, is left for the next.
void tidy_images(coordination::Session& session, const Paths& paths, ImageTidying tidying);

}  // namespace fleet
