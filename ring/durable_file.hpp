#pragma once

#include <filesystem>
#include <string>

/// Changes to files that a power cut can't tear: whole and on disk when the call returns, or not
/// done at all. Every failure throws std::system_error naming the path.
namespace ring::durable {

void sync_file(const std::filesystem::path& path);
void sync_directory(const std::filesystem::path& directory);
/// Written beside, synced, renamed into place.
void write(const std::filesystem::path& path, const std::string& text);
/// A symbolic link made or replaced as one rename.
void link_to(const std::filesystem::path& target, const std::filesystem::path& link);
void rename(const std::filesystem::path& from, const std::filesystem::path& to);
void remove(const std::filesystem::path& path);  ///< a file; none there is well

}  // namespace ring::durable
