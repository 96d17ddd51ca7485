#pragma once

#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "config/config.hpp"
#include "fleet/images/edit.hpp"
#include "fleet/operator/operator.hpp"
#include "router/member/settings.hpp"

namespace router::cli {

/// What a command knows of its fleet, for rings that don't go through the service.
struct FleetSurroundings {
  boost::asio::io_context& loop;  ///< the command's own: it runs within the calls
  const config::Config& config;
  const FleetSettings& settings;
  const fleet::FleetView& view;
  const fleet::Geometry& geometry;
};

/// The ring in force, from this host's store, from a member or from the URL. Throws
/// std::runtime_error that says what each has said.
std::shared_ptr<const ring::Ring> ring_in_force(const FleetSurroundings& fleet);

/// Puts an edit into the service, of which members make a ring that does not go through it, and
/// tells so on standard error. False: it is too large as well. `bytes`: of the ring's image. Throws
/// fleet::OperatorError.
bool put_edit(fleet::Operator& service, const fleet::Edit& edit, const ring::Ring& next,
              std::size_t bytes);

/// How a ring whose image is too large for the service gets to the members: some have it, or the
/// URL does; else it is staged in this host's store, if that is a member's, for the others to
/// fetch. Any member that gets it hands it on.
class RingOffer {
 public:
  /// Finds who has it, and tells so on standard error. Throws std::runtime_error, with nothing
  /// left, where nobody has it. `bytes`: of the image.
  RingOffer(const FleetSurroundings& fleet, const ring::Ring& now, const ring::Ring& next,
            std::size_t bytes);
  /// What was staged, and has not come into force, is dropped, unless `leave` was called.
  ~RingOffer();
  RingOffer(const RingOffer&) = delete;
  RingOffer& operator=(const RingOffer&) = delete;
  /// Another coordinator goes on with the change: this host's router sees what becomes of it.
  void leave() { location_.clear(); }

 private:
  void stage(const FleetSurroundings& fleet, const ring::Ring& now, const ring::Ring& next);
  void drop();
  void look(const FleetSurroundings& fleet, const std::string& digest);

  std::string location_;  // of the store in which it is staged; empty: in none
  std::uint64_t number_ = 0;
  std::string digest_;
  std::vector<std::string> members_;  // who have it
  std::string elsewhere_;             // why it is not here and at the URL; for people
  bool url_ = false;                  // has it, or can't be reached from here
};

}  // namespace router::cli
