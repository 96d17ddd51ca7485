#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "fleet/images/image.hpp"
#include "fleet/sources/image_sources.hpp"

namespace fleet {

/// `ring` or `why` not, for people.
using RingMade = std::function<void(std::shared_ptr<const ring::Ring> ring, std::string why)>;
/// Makes a ring of an image's bytes, as ring_from does, and tells it on the caller's loop, never
/// from inside: it takes a second for 10,000,000 vnodes. `base`: the image is an edit of that ring;
/// null: it is whole.
using MakeRing = std::function<void(Image image, std::shared_ptr<const ring::Ring> base,
                                    const Geometry& geometry, RingMade made)>;
/// At once. Throws as ring_from does.
std::shared_ptr<const ring::Ring> ring_of(const Image& image, const ring::Ring* base,
                                          const Geometry& geometry);
/// On that loop itself, where nothing else waits for it.
MakeRing make_on(boost::asio::io_context& loop);

/// What members and a URL have said to who asked them for a ring.
struct RingFound {
  /// A source whose bytes are not those of the ring, by its digest.
  struct Refused {
    std::string from, why;
  };
  std::shared_ptr<const ring::Ring> ring;  ///< null: nobody has it
  std::string from;                        ///< the source's name
  bool from_member = false;
  std::vector<Refused> refused;
  std::string why;      ///< what each has said, of the first few; for people
  bool failed = false;  ///< a source may do better later
  bool busy = false;    ///< a source asks to come back
};

/// How long all members may take. The URL has the time of one request after it.
inline constexpr std::chrono::seconds kMembersWithin{45};

/// Asks one source after the other for a ring's image, until one has it. `found` is called once, on
/// the loop, never from inside. Holds one image at a time.
void search_ring(boost::asio::io_context& loop, std::vector<ImageSource> sources,
                 const std::string& digest, const Geometry& geometry, MakeRing make,
                 std::function<void(RingFound)> found);
/// The same, for a program that has nothing else to do: runs the loop until it is found.
RingFound search_ring(boost::asio::io_context& loop, std::vector<ImageSource> sources,
                      const std::string& digest, const Geometry& geometry);

}  // namespace fleet
