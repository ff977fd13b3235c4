# Installs the updates whose ids are the arguments. They were found a moment
# ago, so the search need not ask the source again. Exit code 3010: the machine
# must restart, either before or after.
$ErrorActionPreference = 'Stop'
[Console]::OutputEncoding = New-Object System.Text.UTF8Encoding $false
$session = New-Object -ComObject Microsoft.Update.Session
$searcher = $session.CreateUpdateSearcher()
$searcher.Online = $false
$wanted = New-Object -ComObject Microsoft.Update.UpdateColl
foreach ($update in $searcher.Search('IsInstalled=0 and IsHidden=0').Updates) {
    if ($args -contains $update.Identity.UpdateID) {
        if (-not $update.EulaAccepted) { $update.AcceptEula() }
        [void]$wanted.Add($update)
    }
}
if ($wanted.Count -eq 0) { throw 'none of the updates is there any more' }

$downloader = $session.CreateUpdateDownloader()
$downloader.Updates = $wanted
[void]$downloader.Download() # what could not be downloaded fails to install

$installer = $session.CreateUpdateInstaller()
$installer.Updates = $wanted
$installer.ForceQuiet = $true
if ($installer.RebootRequiredBeforeInstallation) { exit 3010 }
$result = $installer.Install()

$succeeded = 2 # OperationResultCode
$failed = 0
for ($i = 0; $i -lt $wanted.Count; $i++) {
    $one = $result.GetUpdateResult($i)
    if ($one.ResultCode -eq $succeeded) { $outcome = 'installed' } else { $outcome = 'failed, 0x{0:X8}' -f $one.HResult; $failed++ }
    '{0}: {1}' -f $wanted.Item($i).Title, $outcome
}
if ($result.RebootRequired) { exit 3010 }
if ($failed) { exit 1 }
